import type { DeviceRule } from '../spec.ts'

/**
 * Device rules of the specification as lines for v1 devices.deny and devices.allow. The list is a sequence (later
 * rules win), and it is closed with the devices every container has, so that no bundle can lock itself out of
 * /dev/null. Without any rule nothing but those is allowed, as in runc.
 */
export type DeviceWrite = { file: 'devices.allow' | 'devices.deny'; value: string }

/** mknod of anything (harmless without access), null, zero, full, tty, urandom, random, console, pts, ptmx. */
const always = [
  'c *:* m',
  'b *:* m',
  'c 1:3 rwm',
  'c 1:5 rwm',
  'c 1:7 rwm',
  'c 5:0 rwm',
  'c 1:9 rwm',
  'c 1:8 rwm',
  'c 5:1 rwm',
  'c 136:* rwm',
  'c 5:2 rwm',
]

export function deviceWrites(rules: readonly DeviceRule[] = []): DeviceWrite[] {
  const start = rules.findLastIndex(coversAll)
  if (start >= 0 && rules[start]?.allow && start === rules.length - 1)
    return [{ file: 'devices.allow', value: 'a' }]
  const first: DeviceWrite =
    start >= 0 && rules[start]?.allow
      ? { file: 'devices.allow', value: 'a' }
      : { file: 'devices.deny', value: 'a' }
  const rest = rules.slice(start + 1).flatMap(ruleWrites)
  return [first, ...rest, ...always.map((value): DeviceWrite => ({ file: 'devices.allow', value }))]
}

function ruleWrites(rule: DeviceRule): DeviceWrite[] {
  const types =
    rule.type === undefined || rule.type === 'a' ? ['b', 'c'] : [rule.type === 'u' ? 'c' : rule.type]
  const file = rule.allow ? 'devices.allow' : 'devices.deny'
  return types.map((type) => ({
    file,
    value: `${type} ${number(rule.major)}:${number(rule.minor)} ${rule.access || 'rwm'}`,
  }))
}

function coversAll({ type, major, minor, access = 'rwm' }: DeviceRule): boolean {
  return (
    (type === undefined || type === 'a' || type === '') &&
    number(major) === '*' &&
    number(minor) === '*' &&
    ['r', 'w', 'm'].every((letter) => (access || 'rwm').includes(letter))
  )
}

/** Absent and -1 both stand for every number. */
function number(value: number | undefined): string {
  return value === undefined || value < 0 ? '*' : String(value)
}
