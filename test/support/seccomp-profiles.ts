/** Seccomp profiles by chance, of every shape the specification has, and the arguments at which their verdicts turn. */
import fc from 'fast-check'
import { syscallNumbers } from '../../src/oci/seccomp/syscall-numbers.ts'
import type { Seccomp, SeccompSyscall } from '../../src/oci/spec.ts'

export interface Machine {
  native: 'x86_64' | 'aarch64'
  profile: Seccomp
}

type Argument = NonNullable<SeccompSyscall['args']>[number]

/** Calls that Debian 12's libseccomp (2.5.4) does not know yet. */
const newerThanLibseccomp = new Set(
  [...syscallNumbers('x86_64')].filter(([, nr]) => nr > 450 || nr === 335).map(([name]) => name),
)

const multiplexed =
  `socketcall ipc socket bind connect listen accept getsockname getpeername socketpair send recv
  sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg semop semget semctl
  semtimedop msgsnd msgrcv msgget msgctl shmat shmdt shmget shmctl`.split(/\s+/)

const architectures = ['x86_64', 'x86', 'x32', 'aarch64', 'arm'] as const
const everyName = [...new Set(architectures.flatMap((one) => [...syscallNumbers(one).keys()]))]
  .filter((name) => !newerThanLibseccomp.has(name))
  .sort()
/**
 * libseccomp 2.5.4 mixes ranges up when several rules of one call have different actions (a verdict that no rule
 * gives). So calls are of two kinds: those that get ranges, always with one action, and those that get equalities and
 * masks with any. Two inequalities that differ in their low halves only count as ranges: libseccomp decides by the
 * rule that came first, but only where the high halves differ.
 */
const ranged = everyName.filter((name, index) => index % 3 === 0 && !multiplexed.includes(name))
const compared = everyName.filter((name) => !ranged.includes(name))

const actions = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
]
const bits = [0n, 1n, 2n, 7n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn]
/** Whole 64-bit words whose halves are at the edges. */
const word = fc
  .tuple(fc.constantFrom(...bits), fc.constantFrom(...bits))
  .map(([high, low]) => (high << 32n) | low)
const number = fc.oneof(fc.constantFrom(...bits), word)

const equalities = ['EQ', 'NE', 'MASKED_EQ']
const ranges = ['LT', 'LE', 'GE', 'GT', ...equalities]

function argument(operators: readonly string[]): fc.Arbitrary<Argument> {
  return fc
    .record({
      index: fc.integer({ min: 0, max: 5 }),
      op: fc.constantFrom(...operators).map((name) => `SCMP_CMP_${name}`),
      value: number,
      valueTwo: number,
    })
    .map((one) =>
      operators === equalities && one.op === 'SCMP_CMP_NE' ? { ...one, value: one.value | 0xffffffffn } : one,
    )
}

function call(names: readonly string[], operators: readonly string[], action: fc.Arbitrary<string>) {
  return fc.record({
    names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 20 }),
    action,
    errnoRet: fc.integer({ min: 0, max: 4094 }),
    args: fc.oneof(
      { weight: 2, arbitrary: fc.constant<Argument[]>([]) },
      { weight: 3, arbitrary: fc.array(argument(operators), { minLength: 1, maxLength: 3 }) },
    ),
  })
}

function calls(rangeAction: string): fc.Arbitrary<SeccompSyscall[]> {
  const plain = fc.array(call(compared, equalities, fc.constantFrom(...actions, 'SCMP_ACT_NOTIFY')), {
    maxLength: 25,
  })
  const wide = fc.array(call(ranged, ranges, fc.constant(rangeAction)), { maxLength: 15 })
  const late = fc.array(call(multiplexed, equalities, fc.constantFrom(...actions)), { maxLength: 6 })
  return fc
    .tuple(plain, wide, late)
    .map(([one, two, three]) =>
      [...one, ...two, ...three].map((entry) => ({ ...entry, errnoRet: ofRange(entry) })),
    )
  function ofRange({ action, errnoRet }: { action: string; errnoRet: number }) {
    return action === rangeAction ? 5 : errnoRet
  }
}

const lists = {
  x86_64: [
    [],
    ['X86_64'],
    ['X86_64', 'X86'],
    ['X86', 'X32'],
    ['X86_64', 'X86', 'X32'],
    ['X32', 'ARM'],
    ['AARCH64'],
  ],
  aarch64: [[], ['AARCH64', 'ARM'], ['ARM', 'X86_64', 'X32', 'X86']],
} as const

export const anyMachine: fc.Arbitrary<Machine> = fc
  .record({
    native: fc.constantFrom('x86_64', 'x86_64', 'x86_64', 'aarch64'),
    which: fc.nat(),
    defaultAction: fc.constantFrom(...actions),
    defaultErrnoRet: fc.integer({ min: 0, max: 4094 }),
    rangeAction: fc.constantFrom(...actions),
  })
  .chain(({ native, which, rangeAction, ...profile }) =>
    calls(rangeAction).map((syscalls): Machine => {
      const names = lists[native][which % lists[native].length] ?? []
      return {
        native,
        profile: { ...profile, architectures: names.map((name) => `SCMP_ARCH_${name}`), syscalls },
      }
    }),
  )

/** Values of one argument around a condition's edges: itself, one less, one more, other high and low halves. */
export function edgesOf({ value, valueTwo = 0 }: Argument): bigint[] {
  return [BigInt(value), BigInt(valueTwo), BigInt(value) & BigInt(valueTwo)].flatMap((edge) =>
    [edge, edge - 1n, edge + 1n, edge ^ (1n << 32n), edge & 0xffffffffn, edge & ~0xffffffffn, ~edge].map(
      (one) => BigInt.asUintN(64, one),
    ),
  )
}
