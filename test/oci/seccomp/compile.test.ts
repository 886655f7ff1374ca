import test from 'ava'
import fc from 'fast-check'
import { compileSeccompCached } from '../../../src/oci/seccomp/cache.ts'
import { compileSeccomp } from '../../../src/oci/seccomp/compile.ts'
import { defaultSeccompProfile } from '../../../src/oci/seccomp/default-profile.ts'
import { syscallNumbers } from '../../../src/oci/seccomp/syscall-numbers.ts'
import type { Seccomp } from '../../../src/oci/spec.ts'
import { runFilter } from '../../support/bpf.ts'
import { buildLibSeccomp, type LibSeccomp } from '../../support/libseccomp.ts'

const X86_64 = 0xc000003e
const X86 = 0x40000003
const AARCH64 = 0xc00000b7
const ALLOW = 0x7fff0000
const errno = (number: number) => 0x50000 | number
const none = [0n, 0n, 0n, 0n, 0n, 0n]

const libseccomp = process.arch === 'x64' ? buildLibSeccomp() : undefined
test.after.always(() => libseccomp?.[Symbol.dispose]())
const judged = (title: string, body: (lib: LibSeccomp) => fc.IProperty<unknown> | undefined | string[]) =>
  libseccomp
    ? test(title, (t) => {
        const outcome = body(libseccomp)
        if (Array.isArray(outcome)) t.deepEqual(outcome, [])
        else {
          if (outcome) fc.assert(outcome, { numRuns: 60 })
          t.pass()
        }
      })
    : test.skip(`${title} (needs x86_64, gcc and libseccomp-dev)`, () => undefined)

/** Calls that Debian 12's libseccomp (2.5.4) does not know yet. */
const newerThanLibseccomp = new Set(
  [...syscallNumbers('x86_64')].filter(([, nr]) => nr > 450 || nr === 335).map(([name]) => name),
)

/** Where the two filters disagree, as text. */
function differences(
  asked: Seccomp,
  lib: LibSeccomp,
  numbers: Iterable<number>,
  argumentSets: readonly (readonly bigint[])[],
) {
  const syscalls = (asked.syscalls ?? []).map((call) => ({
    ...call,
    names: call.names.filter((name) => !newerThanLibseccomp.has(name)),
  }))
  const profile = { ...asked, syscalls }
  const ours = compileSeccomp(profile, { architecture: 'x86_64', enosysForNewer: false }).program
  const theirs = lib.filter(profile)
  const found: string[] = []
  for (const nr of numbers)
    for (const arch of [X86_64, X86, AARCH64])
      for (const args of argumentSets) {
        const [a, b] = [runFilter(ours, { nr, arch, args }), runFilter(theirs, { nr, arch, args })]
        if (a !== b)
          found.push(`${nr} on ${arch.toString(16)} (${args}): ${a.toString(16)}, not ${b.toString(16)}`)
      }
  return found
}

function* everyNumber() {
  for (const base of [0, 0x40000000]) for (let nr = 0; nr < 700; nr++) yield base + nr
  for (const nr of [0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xf0005]) yield nr
}
const first = [0n, 1n, 8n, 40n, 0x20000n, 0x20008n, 0xffffffffn, 0x7e020000n, 0x10000n, 0x20000000n]
const argumentSets = [...first, ...first.map((value) => value | (1n << 32n)), 2n ** 64n - 1n].map((value) => [
  value,
  ...none.slice(1),
])

const withConditions = ['personality', 'socket', 'clone', 'clone3'].flatMap((name) =>
  (['x86_64', 'x32', 'x86'] as const).map((architecture) => syscallNumbers(architecture).get(name) ?? 0),
)

judged('the default profile gives libseccomp’s verdict for every number', (lib) => {
  const profile = defaultSeccompProfile({ capabilities: ['CAP_SYS_CHROOT'], architecture: 'x86_64' })
  return [
    ...differences(profile, lib, everyNumber(), [none]),
    ...differences(profile, lib, withConditions, argumentSets),
  ]
})

judged('so it does with CAP_SYS_ADMIN, and without the other architectures', (lib) => [
  ...differences(
    defaultSeccompProfile({ capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF'], architecture: 'x86_64' }),
    lib,
    everyNumber(),
    [none],
  ),
  ...differences(
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['chmod', 'setns'], action: 'SCMP_ACT_KILL' }] },
    lib,
    everyNumber(),
    [none],
  ),
])

const words = [0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x100000001n, 2n ** 63n]
const word = fc.constantFrom(...words)
const operator = fc.constantFrom('NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ')

judged('every comparison of 64-bit arguments agrees with libseccomp’s', (lib) =>
  fc.property(operator, word, word, fc.integer({ min: 0, max: 5 }), (op, value, valueTwo, index) => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [
        {
          names: ['ioctl', 'mmap'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index, op: `SCMP_CMP_${op}`, value: Number(value), valueTwo: Number(valueTwo) }],
        },
      ],
    }
    const sets = [...words, 3n, 0xffffffff00000000n].map((argument) => none.with(index, argument))
    const found = differences(profile, lib, [16, 54, 9, 90], sets)
    if (found.length > 0) throw new Error(found.slice(0, 5).join('\n'))
  }),
)

judged('conditions on several arguments are joined by “and”', (lib) =>
  fc.property(operator, operator, word, word, (one, two, a, b) => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        {
          names: ['ioctl'],
          action: 'SCMP_ACT_LOG',
          args: [
            { index: 0, op: `SCMP_CMP_${one}`, value: Number(a), valueTwo: 1 },
            { index: 3, op: `SCMP_CMP_${two}`, value: Number(b), valueTwo: 0 },
          ],
        },
      ],
    }
    const sets = words.flatMap((x) => words.map((y) => none.with(0, x).with(3, y)))
    const found = differences(profile, lib, [16], sets)
    if (found.length > 0) throw new Error(found.slice(0, 5).join('\n'))
  }),
)

test('an entry without conditions beats those with some, in either order', (t) => {
  const bare = { names: ['ioctl'], action: 'SCMP_ACT_ALLOW' }
  const some = {
    names: ['ioctl'],
    action: 'SCMP_ACT_KILL',
    args: [{ index: 1, op: 'SCMP_CMP_EQ', value: 5 }],
  }
  for (const syscalls of [
    [bare, some],
    [some, bare],
  ]) {
    const { program } = compileSeccomp(
      { defaultAction: 'SCMP_ACT_ERRNO', syscalls },
      { architecture: 'x86_64' },
    )
    t.is(runFilter(program, { nr: 16, arch: X86_64, args: none.with(1, 5n) }), ALLOW)
  }
})

test('numbers newer than the profile answer ENOSYS, older unnamed ones the default', (t) => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [{ names: ['read', 'openat2'], action: 'SCMP_ACT_ALLOW' }],
  }
  const { program } = compileSeccomp(profile, { architecture: 'x86_64' })
  const verdict = (nr: number, arch = X86_64) => runFilter(program, { nr, arch, args: none })
  t.is(verdict(0), ALLOW)
  t.is(verdict(1), errno(1))
  t.is(verdict(437), ALLOW)
  t.is(verdict(438), errno(38))
  t.is(verdict(0x3fffffff), errno(38))
  t.is(verdict(438, X86), errno(38))
  t.is(verdict(438, AARCH64), 0)
  const open = compileSeccomp(
    { ...profile, defaultAction: 'SCMP_ACT_LOG' },
    { architecture: 'x86_64' },
  ).program
  t.is(runFilter(open, { nr: 438, arch: X86_64, args: none }), 0x7ffc0000)
})

test('arm64 with arm: the private calls of arm do not count as new', (t) => {
  const { program } = compileSeccomp(defaultSeccompProfile({ capabilities: [], architecture: 'aarch64' }), {
    architecture: 'aarch64',
  })
  const verdict = (nr: number, arch: number) => runFilter(program, { nr, arch, args: none })
  t.is(verdict(syscallNumbers('aarch64').get('read') ?? -1, AARCH64), ALLOW)
  t.is(verdict(syscallNumbers('aarch64').get('mount') ?? -1, AARCH64), errno(1))
  t.is(verdict(500, AARCH64), errno(38))
  t.is(verdict(500, 0x40000028), errno(38))
  t.is(verdict(0xf0005, 0x40000028), ALLOW)
  t.is(verdict(0, X86_64), 0)
})

test('the system call tables: a few numbers everybody knows', (t) => {
  t.is(syscallNumbers('x86_64').get('clone3'), 435)
  t.is(syscallNumbers('x86').get('socketcall'), 102)
  t.is(syscallNumbers('x32').get('execve'), 0x40000208)
  t.is(syscallNumbers('aarch64').get('openat'), 56)
  t.is(syscallNumbers('arm').get('set_tls'), 0xf0005)
})

test('a listener asks for its descriptor and loses TSYNC; names nobody has are reported', (t) => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    flags: ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    syscalls: [{ names: ['mount', 'teleport'], action: 'SCMP_ACT_NOTIFY' }],
  }
  const filter = compileSeccomp(profile)
  t.like(filter, { notify: true, flags: 8 | 32, ignored: ['teleport'] })
  t.is(compileSeccompCached(profile), compileSeccompCached(structuredClone(profile)))
})

test('wrong words are refused with their place', (t) => {
  const refused = (profile: Partial<Seccomp>, path: string) =>
    t.like(
      t.throws(() => compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', ...profile })),
      { code: 'INVALID_ARGUMENT', path },
    )
  refused({ defaultAction: 'ALLOW' }, 'linux.seccomp.defaultAction')
  refused({ architectures: ['SCMP_ARCH_VAX'] }, 'linux.seccomp.architectures[0]')
  refused({ flags: ['FAST'] }, 'linux.seccomp.flags[0]')
  const call = { names: ['read'], action: 'SCMP_ACT_LOG', args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }
  refused({ syscalls: [call] }, 'linux.seccomp.syscalls[0].args[0].index')
  refused(
    { syscalls: [{ ...call, args: [{ index: 0, value: 0, op: 'EQ' }] }] },
    'linux.seccomp.syscalls[0].args[0].op',
  )
})

test('jumps farther than 255 instructions arrive: a profile of alternating verdicts', (t) => {
  const names = [...syscallNumbers('x86_64').keys()].filter((_, index) => index % 2 === 0)
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }],
  }
  const { program } = compileSeccomp(profile, { architecture: 'x86_64', enosysForNewer: false })
  for (const [name, nr] of syscallNumbers('x86_64'))
    t.is(runFilter(program, { nr, arch: X86_64, args: none }), names.includes(name) ? ALLOW : errno(1), name)
})
