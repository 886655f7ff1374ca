import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/base/index.ts'
import { compileDeviceProgram } from '../../../src/oci/cgroup/device-program.ts'
import { deviceWrites } from '../../../src/oci/cgroup/devices.ts'
import type { DeviceRule } from '../../../src/oci/spec.ts'
import { type DeviceAccess, runDeviceProgram } from '../../support/ebpf.ts'

const bits = { m: 1, r: 2, w: 4 } as const

/** The specification in the plainest words: for each kind of access the last rule that matches, else no. */
function isAllowed(rules: readonly DeviceRule[], { type, major, minor, access }: DeviceAccess): boolean {
  const always: DeviceRule[] = [
    ...['c', 'b'].map((one) => ({ allow: true, type: one, access: 'm' })),
    ...[3, 5, 7, 8, 9].map((minor) => ({ allow: true, type: 'c', major: 1, minor })),
    ...[0, 1, 2].map((minor) => ({ allow: true, type: 'c', major: 5, minor })),
    { allow: true, type: 'c', major: 136 },
  ]
  return (['m', 'r', 'w'] as const).every((letter) => {
    if ((access & bits[letter]) === 0) return true
    const last = [...rules, ...always].findLast(
      (rule) =>
        ['a', '', undefined, type === 'b' ? 'b' : 'c', type === 'c' ? 'u' : 'b'].includes(rule.type) &&
        (rule.major === undefined || rule.major < 0 || rule.major === major) &&
        (rule.minor === undefined || rule.minor < 0 || rule.minor === minor) &&
        (rule.access || 'rwm').includes(letter),
    )
    return last?.allow === true
  })
}

const number = fc.constantFrom(undefined, -1, 0, 1, 3, 5, 10, 136, 0xffffffff)
const rule: fc.Arbitrary<DeviceRule> = fc
  .record({
    allow: fc.boolean(),
    type: fc.constantFrom(undefined, '', 'a', 'b', 'c', 'u'),
    major: number,
    minor: number,
    access: fc.constantFrom(undefined, '', 'r', 'w', 'm', 'rw', 'wm', 'mr', 'rwm'),
  })
  .map((one) => JSON.parse(JSON.stringify(one)))
const asked: fc.Arbitrary<DeviceAccess> = fc.record({
  type: fc.constantFrom('b', 'c'),
  major: fc.constantFrom(0, 1, 3, 5, 10, 136, 77, 0xffffffff),
  minor: fc.constantFrom(0, 1, 3, 5, 10, 229, 0xffffffff),
  access: fc.integer({ min: 1, max: 7 }),
})

test('the program gives the verdict of the rules, for any rules and any access', (t) => {
  let allowed = 0
  let denied = 0
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.array(asked, { minLength: 20, maxLength: 20 }),
      (rules, all) => {
        const program = compileDeviceProgram(rules)
        for (const one of all) {
          const expected = isAllowed(rules, one)
          if (expected) allowed++
          else denied++
          t.is(program === undefined || runDeviceProgram(program, one), expected)
        }
      },
    ),
    { numRuns: 500 },
  )
  t.true(allowed > 500 && denied > 500, `${allowed} allowed, ${denied} denied`)
})

test('rules that allow everything need no program', (t) => {
  t.is(compileDeviceProgram([{ allow: false }, { allow: true, type: 'a', access: 'rwm' }]), undefined)
  t.not(compileDeviceProgram([{ allow: true }, { allow: false, type: 'c', major: 1, minor: 1 }]), undefined)
})

test('a number that no device has is refused, not cut to 32 bits', (t) => {
  const error = t.throws(() =>
    compileDeviceProgram([{ allow: true, type: 'c', major: 2 ** 32 + 1, minor: 3 }]),
  )
  t.true(hasCode(error, 'INVALID_ARGUMENT'))
  t.is((error as { path?: string }).path, 'linux.resources.devices[0]')
})

test('v1 refuses a rule that pierces a wider one, which its controller would not apply', (t) => {
  const pierced = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, access: 'rwm' },
    { allow: false, type: 'c', major: 10, minor: 229, access: 'w' },
  ]
  t.throws(() => deviceWrites(pierced), { message: /cannot deny a part of a wider rule/ })
  t.notThrows(() => deviceWrites(pierced.with(2, { allow: false, type: 'c', major: 10, access: 'w' })))
  t.notThrows(() =>
    deviceWrites(pierced.with(2, { allow: false, type: 'b', major: 10, minor: 1, access: 'w' })),
  )
})
