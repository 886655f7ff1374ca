/**
 * A sample of verdicts by the kernel itself, so that the machine by which libseccomp.test.ts judges is judged as well.
 * No call is made: each verdict of the filter becomes an errno of its own, with the same tests on the way to it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { auditValues } from '../../../src/oci/seccomp/architectures.ts'
import { compileSeccomp } from '../../../src/oci/seccomp/compile.ts'
import { defaultSeccompProfile } from '../../../src/oci/seccomp/default-profile.ts'
import { syscallNumbers } from '../../../src/oci/seccomp/syscall-numbers.ts'
import type { Seccomp } from '../../../src/oci/spec.ts'
import { dataWords, filterMachine } from '../../support/bpf.ts'
import { anyMachine, edgesOf } from '../../support/seccomp-profiles.ts'
import { skipWithout } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const returns = 0x06
const errnoAction = 0x00050000
const notMade = 0xffffffff
/** uretprobe and uprobe of x86_64, which the kernel lets past every filter (since 6.14) and answers with a signal. */
const pastFilters = [335, 336]

interface Call {
  architecture: 'x86_64' | 'x86' | 'x32'
  nr: number
  args: readonly bigint[]
}

/** Every verdict is an errno: the first one met 1, the next 2; and which verdict each stands for. */
function withErrnos(program: Uint8Array): { program: Uint8Array; verdicts: Map<number, number> } {
  const changed = program.slice()
  const view = new DataView(changed.buffer)
  const verdicts = new Map<number, number>()
  for (let at = 0; at < changed.length; at += 8) {
    if (view.getUint16(at, true) !== returns) continue
    const verdict = view.getUint32(at + 4, true)
    const known = [...verdicts].find(([, one]) => one === verdict)?.[0] ?? verdicts.size + 1
    verdicts.set(known, verdict)
    view.setUint32(at + 4, errnoAction | known, true)
  }
  return { program: changed, verdicts }
}

/** Each call of the profile, and some that are not in it, with arguments at which verdicts turn. */
function callsOf({ syscalls = [] }: Seccomp): Call[] {
  const architectures = ['x86_64', 'x86', 'x32'] as const
  return architectures.flatMap((architecture) => {
    const numbers = syscallNumbers(architecture)
    const wide = architecture !== 'x86'
    const calls = syscalls.flatMap(({ names, args = [] }) =>
      names.flatMap((name): Call[] => {
        const nr = numbers.get(name)
        return nr === undefined
          ? []
          : argumentSets(args, wide).map((set) => ({ architecture, nr, args: set }))
      }),
    )
    const first = architecture === 'x32' ? 0x40000000 : 0
    const others = [...Array(600).keys()].map((nr) => ({ architecture, nr: first + nr, args: none }))
    return [...calls, ...others].filter(({ nr }) => !pastFilters.includes(nr))
  })
}

const none = [0n, 0n, 0n, 0n, 0n, 0n]

function argumentSets(args: NonNullable<NonNullable<Seccomp['syscalls']>[number]['args']>, wide: boolean) {
  const sets = args.flatMap((one) => edgesOf(one).map((value) => none.with(one.index, value)))
  const right = none.map((zero, index) => {
    const wanted = args.find((one) => one.index === index)
    return wanted ? BigInt(wanted.op === 'SCMP_CMP_MASKED_EQ' ? (wanted.valueTwo ?? 0) : wanted.value) : zero
  })
  return [none, right, ...sets].map((set) => set.map((value) => BigInt.asUintN(wide ? 64 : 32, value)))
}

function encode(program: Uint8Array, calls: readonly Call[]): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(program.length)
  const body = Buffer.alloc(4 + calls.length * 56)
  body.writeUInt32LE(calls.length)
  for (const [index, { architecture, nr, args }] of calls.entries()) {
    const at = 4 + index * 56
    body.writeUInt32LE(architecture === 'x86' ? 1 : 0, at)
    body.writeUInt32LE(nr, at + 4)
    for (const [position, value] of args.entries()) body.writeBigUInt64LE(value, at + 8 + position * 8)
  }
  return Buffer.concat([head, program, body])
}

skipWithout('an x86_64 host', process.arch === 'x64')(
  'the kernel gives the verdicts that the machine gives: the default profile and 20 generated ones',
  async (t) => {
    t.timeout(120_000)
    await using directory = await temporaryDirectory()
    const judge = join(directory.path, 'filter-verdicts')
    execFileSync('cc', [
      '-O1',
      fileURLToPath(new URL('../../support/filter-verdicts.c', import.meta.url)),
      '-o',
      judge,
    ])
    const generated = fc
      .sample(anyMachine, 40)
      .filter(({ native }) => native === 'x86_64')
      .map(({ profile }) => profile)
    let compared = 0
    let left = 0
    for (const profile of [
      defaultSeccompProfile({ capabilities: [], architecture: 'x86_64' }),
      ...generated.slice(0, 20),
    ]) {
      const { program } = compileSeccomp(profile, { architecture: 'x86_64' })
      const machine = filterMachine(program)
      const asErrnos = withErrnos(program)
      const calls = callsOf(profile)
      const { status, stdout } = spawnSync(judge, {
        input: encode(asErrnos.program, calls),
        maxBuffer: 1 << 26,
      })
      t.is(status, 0)
      for (const [index, { architecture, nr, args }] of calls.entries()) {
        const errno = stdout.readUInt32LE(index * 4)
        const arch = architecture === 'x86' ? auditValues.x86 : auditValues.x86_64
        if (errno === notMade) left++
        else {
          const wanted = machine.run(dataWords({ arch, nr, args }))
          if (asErrnos.verdicts.get(errno) !== wanted)
            t.fail(`${architecture} ${nr} (${args}): ${errno}, not ${wanted}`)
          compared++
        }
      }
    }
    t.log(`${compared} verdicts, ${left} left out as this kernel runs no programs of x86`)
    t.true(compared > 10_000)
  },
)
