/**
 * The proof that our filters are libseccomp's: the same verdict for every number that libseccomp knows, on every
 * architecture of the profile and one that is not, at the edges of every comparison; and above the profile's newest call
 * runc's -ENOSYS rule.
 */
import test from 'ava'
import fc from 'fast-check'
import { auditValues } from '../../../src/oci/seccomp/architectures.ts'
import { compileSeccomp } from '../../../src/oci/seccomp/compile.ts'
import { defaultSeccompProfile } from '../../../src/oci/seccomp/default-profile.ts'
import { type Architecture, syscallNumbers } from '../../../src/oci/seccomp/syscall-numbers.ts'
import type { Seccomp } from '../../../src/oci/spec.ts'
import { dataWords, filterMachine } from '../../support/bpf.ts'
import {
  actionNumber,
  buildLibSeccomp,
  type Judgement,
  type LibSeccomp,
  type Rule,
} from '../../support/libseccomp.ts'
import { anyMachine, edgesOf, type Machine } from '../../support/seccomp-profiles.ts'

const x32Bit = 0x40000000
const x86_64 = 0xc000003e
const x86 = 0x40000003
const riscv64 = 0xc00000f3
const ENOSYS = 0x50026
const permissive = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE']
const carriers: Record<string, number> = { socketcall: 102, ipc: 117 }

const libseccomp = process.arch === 'x64' ? buildLibSeccomp() : undefined
test.after.always(() => libseccomp?.[Symbol.dispose]())

interface Sum {
  verdicts: number
  rules: number
  refused: number
  /** libseccomp gives an action that no rule with fulfilled conditions has. */
  unsound: number
}

/** Compares every verdict, and throws the first differences as text. */
function compare({ native, profile }: Machine, lib: LibSeccomp, sum: Sum): void {
  const judged = lib.judge(profile, native)
  const options = { architecture: native } as const
  const ours = filterMachine(compileSeccomp(withoutRefused(profile, judged), options).program)
  const theirs = filterMachine(judged.program)
  sum.rules += judged.rules.length
  sum.refused += judged.refused.size
  const found: string[] = []
  for (const { arch, nr, args, rules, wide, newest } of cases(judged)) {
    const data = dataWords({ arch, nr, args })
    const mine = ours.run(data)
    const stub = newest !== undefined && nr > newest && !permissive.includes(profile.defaultAction)
    const wanted = stub && rules.length === 0 ? ENOSYS : theirs.run(data)
    sum.verdicts++
    if (mine === wanted) continue
    const given = new Set(rules.filter((rule) => holds(rule, args, wide)).map(actionOf))
    const defaultAction = actionNumber(profile.defaultAction, profile.defaultErrnoRet)
    const isSound = (verdict: number) => (given.size === 0 ? verdict === defaultAction : given.has(verdict))
    if (isSound(mine) && !isSound(wanted)) sum.unsound++
    else
      found.push(`${nr} on ${arch.toString(16)} (${args}): ${mine.toString(16)}, not ${wanted.toString(16)}`)
  }
  if (found.length > 0) throw new Error([...found.slice(0, 5), `${found.length} differences`].join('\n'))
}

/** What libseccomp did not take in (a rule that contradicts another one) is not for us to judge either. */
function withoutRefused(profile: Seccomp, { rules, refused }: Judgement): Seccomp {
  if (refused.size === 0) return profile
  const kept = rules
    .filter((rule) => !refused.has(rule))
    .map(({ name, ...rule }) => ({ ...rule, names: [name] }))
  const names = (profile.syscalls ?? []).flatMap((call) => call.names)
  const action = profile.defaultAction
  const errnoRet = profile.defaultErrnoRet ?? 1
  return { ...profile, syscalls: [...kept, { names, action, errnoRet }] }
}

interface Case {
  arch: number
  nr: number
  args: readonly bigint[]
  /** The rules for this number. */
  rules: readonly Rule[]
  wide: boolean
  newest: number | undefined
}

const none = [0n, 0n, 0n, 0n, 0n, 0n]
const architectures: readonly Architecture[] = ['x86_64', 'x86', 'x32', 'aarch64', 'arm']

function* cases(judged: Judgement): Generator<Case> {
  const byName = new Map<string, Rule[]>()
  for (const rule of judged.rules)
    if (!judged.refused.has(rule)) byName.set(rule.name, [...(byName.get(rule.name) ?? []), rule])
  for (const architecture of architectures) {
    const arch = auditValues[architecture]
    const newest = judged.newest.get(architecture === 'x32' ? 0x4000003e : arch) || undefined
    const wide = architecture === 'x86_64' || architecture === 'aarch64'
    const base = { arch, wide, newest }
    for (const [name, nr] of syscallNumbers(architecture)) {
      const rules = byName.get(name) ?? []
      const carried = architecture === 'x86' && carriers[name] === nr ? carriedRules(name, byName) : []
      for (const args of argumentSets([...rules, ...carried], carried.length > 0))
        yield { ...base, nr, args, rules: [...rules, ...carried] }
    }
    const first = architecture === 'x32' ? x32Bit : 0
    const known = new Set(syscallNumbers(architecture).values())
    for (const nr of [...Array(700).keys()].map((offset) => first + offset))
      if (!known.has(nr)) yield { ...base, nr, args: none, rules: [] }
  }
  for (const nr of [0, 1, 700, 0x3fffffff, 0x80000000, 0xfffffffe, 0xffffffff])
    yield { arch: riscv64, nr, args: none, rules: [], wide: true, newest: undefined }
}

/** The rules of a call that x86 also makes through socketcall or ipc, as they are there. */
function carriedRules(carrier: string, byName: ReadonlyMap<string, Rule[]>): Rule[] {
  return Object.entries(selectors[carrier] ?? {}).flatMap(([name, selector]) =>
    (byName.get(name) ?? []).map((rule) => {
      const chosen = { index: 0, op: 'SCMP_CMP_EQ', value: selector }
      return { ...rule, args: [chosen, ...(rule.args ?? []).filter(({ index }) => index !== 0)] }
    }),
  )
}

/** include/uapi/linux/net.h and ipc.h. */
const selectors: Record<string, Record<string, number>> = {
  socketcall: Object.fromEntries(
    `socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown
     setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg`
      .split(/\s+/)
      .map((name, index) => [name, index + 1]),
  ),
  ipc: {
    ...{ semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14 },
    ...{ shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 },
  },
}

/** Every edge of every condition alone, beside arguments that fulfil the rest of its rule and beside others. */
function argumentSets(rules: readonly Rule[], carried: boolean): (readonly bigint[])[] {
  const conditional = rules.filter(({ args = [] }) => args.length > 0)
  const sets = conditional.flatMap(({ args = [] }) => {
    const fulfilled = args.reduce((all, one) => all.with(one.index, fulfilling(one)), [...none])
    const others = conditional.flatMap((other) =>
      (other.args ?? []).reduce((all, one) => all.with(one.index, fulfilling(one)), fulfilled),
    )
    return [
      fulfilled,
      ...args.flatMap((one) => edgesOf(one).map((edge) => fulfilled.with(one.index, edge))),
      ...chunks(others, 6),
    ]
  })
  const selected = carried ? [...Array(30).keys()].map((selector) => none.with(0, BigInt(selector))) : []
  return [none, ...selected, ...sets]
}

function chunks(list: readonly bigint[], size: number): bigint[][] {
  return [...Array(Math.min(40, list.length / size)).keys()].map((at) =>
    list.slice(at * size, at * size + size),
  )
}

type Argument = NonNullable<Rule['args']>[number]

function fulfilling({ op, value, valueTwo = 0 }: Argument): bigint {
  const edge = BigInt(value)
  if (op === 'SCMP_CMP_MASKED_EQ') return edge & BigInt(valueTwo)
  const step = { SCMP_CMP_NE: 1n, SCMP_CMP_GT: 1n, SCMP_CMP_LT: -1n }[op] ?? 0n
  return BigInt.asUintN(64, edge + step)
}

function holds({ args = [] }: Rule, given: readonly bigint[], wide: boolean): boolean {
  const cut = (value: bigint) => (wide ? value : value & 0xffffffffn)
  return args.every(({ index, op, value, valueTwo = 0 }) => {
    const [argument, first, second] = [given[index] ?? 0n, BigInt(value), BigInt(valueTwo)].map(cut) as [
      bigint,
      bigint,
      bigint,
    ]
    return comparisons[op]?.(argument, first, second)
  })
}

const comparisons: Record<string, (argument: bigint, value: bigint, valueTwo: bigint) => boolean> = {
  SCMP_CMP_NE: (argument, value) => argument !== value,
  SCMP_CMP_LT: (argument, value) => argument < value,
  SCMP_CMP_LE: (argument, value) => argument <= value,
  SCMP_CMP_EQ: (argument, value) => argument === value,
  SCMP_CMP_GE: (argument, value) => argument >= value,
  SCMP_CMP_GT: (argument, value) => argument > value,
  SCMP_CMP_MASKED_EQ: (argument, mask, value) => (argument & mask) === (value & mask),
}

function actionOf({ action, errnoRet }: Rule): number {
  return actionNumber(action, errnoRet)
}

const judged = (title: string, body: (lib: LibSeccomp, sum: Sum) => Promise<void> | void) =>
  libseccomp
    ? test(title, async (t) => {
        t.timeout(20 * 60_000)
        const sum: Sum = { verdicts: 0, rules: 0, refused: 0, unsound: 0 }
        await body(libseccomp, sum)
        t.log(JSON.stringify(sum))
        t.true(sum.verdicts > 5000)
        t.true(sum.unsound < sum.verdicts / 100)
        t.true(sum.refused <= sum.rules / 4)
      })
    : test.skip(`${title} (needs x86_64, gcc and libseccomp-dev)`, () => undefined)

judged('the default profile, with and without capabilities, on both machines', (lib, sum) => {
  for (const native of ['x86_64', 'aarch64'] as const)
    for (const capabilities of [[], ['CAP_SYS_CHROOT'], ['CAP_SYS_ADMIN', 'CAP_BPF']]) {
      const profile = defaultSeccompProfile({ capabilities, architecture: native })
      const known = (profile.syscalls ?? []).map((call) => ({
        ...call,
        names: call.names.filter(knownToBoth),
      }))
      compare({ native, profile: { ...profile, syscalls: known } }, lib, sum)
    }
})

/** libseccomp 2.5.4 ends at 450. */
function knownToBoth(name: string): boolean {
  return (
    (syscallNumbers('aarch64').get(name) ?? syscallNumbers('x86').get(name) ?? 0) <= 450 &&
    name !== 'uretprobe'
  )
}

const runs = process.env['KEELSON_TEST_FULL'] ? 200 : 25

const compareAny = (lib: LibSeccomp, sum: Sum) =>
  fc.asyncProperty(anyMachine, async (machine) => {
    compare(machine, lib, sum)
    await new Promise(setImmediate) // else nobody hears of us for minutes
  })

judged(`${runs} generated profiles`, (lib, sum) =>
  fc.assert(compareAny(lib, sum), { numRuns: runs, seed: 20261129, includeErrorInReport: true }),
)

judged('profiles by a new chance at each run', (lib, sum) =>
  fc.assert(compareAny(lib, sum), { numRuns: runs / 5, includeErrorInReport: true }),
)

judged(
  'several ranges of one call with different actions: ours are sound where libseccomp’s are not',
  (lib, sum) => {
    const words = [0n, 5n, 0xffffffffn, 0x100000000n, 0x500000001n]
    const rule = fc.record({
      op: fc.constantFrom('LT', 'LE', 'GE', 'GT').map((name) => `SCMP_CMP_${name}`),
      value: fc.constantFrom(...words),
      action: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRAP'),
    })
    fc.assert(
      fc.property(fc.array(rule, { minLength: 2, maxLength: 4 }), (list) => {
        const syscalls = list.map(({ op, value, action }) => ({
          names: ['ioctl'],
          action,
          args: [{ index: 0, op, value }],
        }))
        const profile: Seccomp = {
          defaultAction: 'SCMP_ACT_ERRNO',
          architectures: ['SCMP_ARCH_X86'],
          syscalls,
        }
        const { program } = compileSeccomp(profile, { architecture: 'x86_64' })
        const machine = filterMachine(program)
        for (const [arch, nr, wide] of [
          [x86_64, 16, true],
          [x86, 54, false],
        ] as const)
          for (const argument of words
            .flatMap((edge) => [edge - 1n, edge, edge + 1n])
            .filter((edge) => edge >= 0n)) {
            const args = none.with(0, argument)
            const rules = syscalls.map(({ names: [name = ''], ...one }) => ({ ...one, name }))
            const given = rules.filter((one) => holds(one, args, wide)).map(actionOf)
            const verdict = machine.run(dataWords({ arch, nr, args }))
            sum.verdicts++
            if (given.length === 0 ? verdict !== 0x50001 : !given.includes(verdict))
              throw new Error(`${argument} on ${arch.toString(16)}: ${verdict.toString(16)}`)
          }
        lib.judge(profile)
      }),
      { numRuns: 200 },
    )
  },
)
