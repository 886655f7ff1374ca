import { KeelsonError } from '../../base/index.ts'
import type { DeviceRule } from '../spec.ts'

/**
 * Device rules of the specification (config-linux.md, "Allowed Device list"). They are a sequence: for each kind of
 * access the last rule that matches decides, and what no rule matches is denied. The list is closed with the devices
 * every container has, so that no bundle can lock itself out of /dev/null. v1 takes it as lines of devices.deny and
 * devices.allow, v2 as a program (device-program.ts).
 */
export interface DeviceMatch {
  allow: boolean
  /** Undefined: both. */
  type: 'b' | 'c' | undefined
  /** Undefined: every number. */
  major: number | undefined
  minor: number | undefined
  /** Letters of `rwm`. */
  access: string
}

export type DeviceWrite = { file: 'devices.allow' | 'devices.deny'; value: string }

/** mknod of anything (harmless without access), null, zero, full, tty, urandom, random, console, pts, ptmx. */
const always: readonly DeviceMatch[] = [
  allowed('c', undefined, undefined, 'm'),
  allowed('b', undefined, undefined, 'm'),
  allowed('c', 1, 3),
  allowed('c', 1, 5),
  allowed('c', 1, 7),
  allowed('c', 5, 0),
  allowed('c', 1, 9),
  allowed('c', 1, 8),
  allowed('c', 5, 1),
  allowed('c', 136, undefined),
  allowed('c', 5, 2),
]

/** The rules that count, in order: from the last that covers everything, then what every container may use. */
export function deviceMatches(rules: readonly DeviceRule[] = []): DeviceMatch[] {
  const own = rules.map(matchOf)
  const start = own.findLastIndex(coversAll)
  const first = own[start]
  if (first?.allow && start === own.length - 1) return [first]
  const everything: DeviceMatch = { ...all, allow: first?.allow ?? false }
  return [everything, ...own.slice(start + 1), ...always]
}

/** INVALID_ARGUMENT for a rule that the v1 controller would silently not apply. */
export function deviceWrites(rules: readonly DeviceRule[] = []): DeviceWrite[] {
  const [first = all, ...rest] = deviceMatches(rules)
  refuseHoles(first.allow, rest)
  return [
    { file: first.allow ? 'devices.allow' : 'devices.deny', value: 'a' },
    ...rest.flatMap(({ allow, type, major, minor, access }) =>
      (type === undefined ? ['b', 'c'] : [type]).map(
        (letter): DeviceWrite => ({
          file: allow ? 'devices.allow' : 'devices.deny',
          value: `${letter} ${major ?? '*'}:${minor ?? '*'} ${access}`,
        }),
      ),
    ),
  ]
}

function coversAll({ type, major, minor, access }: DeviceMatch): boolean {
  return type === undefined && major === undefined && minor === undefined && accessMask(access) === 7
}

const letters = ['m', 'r', 'w'] as const

/** As the kernel counts them: mknod 1, read 2, write 4. */
export function accessMask(access: string): number {
  return letters.reduce((mask, letter, bit) => (access.includes(letter) ? mask | (1 << bit) : mask), 0)
}

const all: DeviceMatch = { allow: false, type: undefined, major: undefined, minor: undefined, access: 'rwm' }

function allowed(type: 'b' | 'c', major?: number, minor?: number, access = 'rwm'): DeviceMatch {
  return { allow: true, type, major, minor, access }
}

const largestNumber = 0xffffffff

/** Absent and -1 both stand for every number, no access for every access; `u` is an unbuffered `c`. */
function matchOf(rule: DeviceRule, index: number): DeviceMatch {
  const { allow, type = 'a', major = -1, minor = -1, access } = rule
  for (const number of [major, minor])
    if (number > largestNumber)
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        `linux.resources.devices[${index}]: ${number} is no device number`,
        {
          path: `linux.resources.devices[${index}]`,
          hint: 'leave the number out, or write -1, for every device',
        },
      )
  return {
    allow,
    type: type === 'b' ? 'b' : type === 'c' || type === 'u' ? 'c' : undefined,
    major: major < 0 ? undefined : major,
    minor: minor < 0 ? undefined : minor,
    access: access || 'rwm',
  }
}

/**
 * v1 keeps exceptions from one default, and removes one only by exactly its own numbers: a narrower rule against a
 * wider one changes nothing and says nothing. Such a list is refused, as runc does, rather than not enforced.
 */
function refuseHoles(allowsByDefault: boolean, rules: readonly DeviceMatch[]): void {
  const exceptions: DeviceMatch[] = []
  for (const rule of rules)
    if (rule.allow !== allowsByDefault) exceptions.push(rule)
    else if (exceptions.some((wider) => pierces(rule, wider)))
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        `linux.resources.devices: cgroup v1 cannot ${rule.allow ? 'allow' : 'deny'} a part of a wider rule`,
        {
          path: 'linux.resources.devices',
          hint: 'put the narrower rule first, or name the devices one by one',
        },
      )
}

function pierces(rule: DeviceMatch, wider: DeviceMatch): boolean {
  const sameType = wider.type === undefined || rule.type === undefined || wider.type === rule.type
  const covers = (a: number | undefined, b: number | undefined) => a === undefined || a === b
  const isWider = covers(wider.major, rule.major) && covers(wider.minor, rule.minor)
  const isSame = wider.major === rule.major && wider.minor === rule.minor
  return sameType && isWider && !isSame && (accessMask(rule.access) & accessMask(wider.access)) !== 0
}
