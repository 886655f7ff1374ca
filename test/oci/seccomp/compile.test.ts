import test from 'ava'
import { compileSeccompCached } from '../../../src/oci/seccomp/cache.ts'
import { compileSeccomp } from '../../../src/oci/seccomp/compile.ts'
import { defaultSeccompProfile } from '../../../src/oci/seccomp/default-profile.ts'
import { syscallNumbers } from '../../../src/oci/seccomp/syscall-numbers.ts'
import type { Seccomp, SeccompSyscall } from '../../../src/oci/spec.ts'
import { runFilter } from '../../support/bpf.ts'

const X86_64 = 0xc000003e
const X86 = 0x40000003
const AARCH64 = 0xc00000b7
const ALLOW = 0x7fff0000
const errno = (number: number) => 0x50000 | number
const none = [0n, 0n, 0n, 0n, 0n, 0n]

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

test('socketcall and ipc carry what x86 has no numbers for, and what it got numbers for late', (t) => {
  const call = (names: string[], args: SeccompSyscall['args'] = []) => ({
    names,
    action: 'SCMP_ACT_ALLOW',
    args,
  })
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [
      call(['read', 'send', 'shmget']),
      call(['socket'], [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }]),
    ],
  }
  const { program } = compileSeccomp(profile, { architecture: 'x86_64' })
  const verdict = (nr: number, ...args: bigint[]) =>
    runFilter(program, { nr, arch: X86, args: [...args, ...none].slice(0, 6) })
  t.is(verdict(102, 9n), ALLOW)
  t.is(verdict(102, 1n), ALLOW)
  t.is(verdict(102, 2n), errno(1))
  t.is(verdict(117, 23n), ALLOW)
  t.is(verdict(117, 21n), errno(1))
  t.is(verdict(395), ALLOW)
  t.is(verdict(359, 2n), ALLOW)
  t.is(verdict(359, 40n), errno(1))
  t.is(verdict(371), errno(38)) // recvfrom by its own number is newer than anything named here
})

test('masks that look at nothing are no condition; where only their high half is set, not on 32 bits', (t) => {
  const args = [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: 1n << 40n, valueTwo: 1n << 40n }]
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [{ names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args }],
  }
  const { program } = compileSeccomp(profile, { architecture: 'x86_64' })
  t.is(runFilter(program, { nr: 16, arch: X86_64, args: none }), errno(1))
  t.is(runFilter(program, { nr: 16, arch: X86_64, args: none.with(0, 1n << 40n) }), ALLOW)
  t.is(runFilter(program, { nr: 54, arch: X86, args: none }), ALLOW)
})

test('numbers of 64 bits are exact as bigint', (t) => {
  const value = 0xffffffff00000001n
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value, op: 'SCMP_CMP_EQ' }] },
    ],
  }
  const { program } = compileSeccompCached(profile, { architecture: 'x86_64' })
  const verdict = (argument: bigint) =>
    runFilter(program, { nr: 16, arch: X86_64, args: none.with(1, argument) })
  t.is(verdict(value), ALLOW)
  t.is(verdict(value - 1n), errno(1))
  t.is(verdict(value + 1n), errno(1))
})

test('a listener asks for its descriptor and loses TSYNC; names nobody has are reported', (t) => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    flags: ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    syscalls: [{ names: ['mount', 'teleport'], action: 'SCMP_ACT_NOTIFY' }],
  }
  const filter = compileSeccomp(profile)
  t.like(filter, { notify: true, flags: 8 | 32, ignored: ['teleport'] })
  t.deepEqual(compileSeccomp({ ...profile, syscalls: [] }).flags, 1)
  t.is(compileSeccompCached(profile), compileSeccompCached(structuredClone(profile)))
})

test('unknown names are left out, or refused with their place; those of other architectures are known', (t) => {
  const syscalls = [{ names: ['read', 'swapcontext', 'teleport'], action: 'SCMP_ACT_ALLOW' }]
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls }
  t.deepEqual(compileSeccomp(profile).ignored, ['teleport'])
  const error = t.throws(() => compileSeccomp(profile, { failUnknown: true }))
  t.like(error, { code: 'INVALID_ARGUMENT', path: 'linux.seccomp.syscalls[0].names[2]' })
})

test('a flag that the kernel does not have is refused by name', (t) => {
  const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']
  const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }]
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', flags, syscalls }
  t.is(compileSeccomp(profile, { supportedFlags: 47 }).flags, 2 | 8 | 32)
  const error = t.throws(() => compileSeccomp(profile, { supportedFlags: 7 }))
  t.like(error, { code: 'FAILED_PRECONDITION', path: 'linux.seccomp.flags[1]' })
})

test('every action, with its number where it carries one', (t) => {
  const verdict = (action: string, errnoRet?: number) => {
    const call = { names: ['mkdir'], action, ...(errnoRet === undefined ? {} : { errnoRet }) }
    const { program } = compileSeccomp(
      { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [call] },
      { architecture: 'x86_64' },
    )
    return runFilter(program, { nr: 83, arch: X86_64, args: none }).toString(16)
  }
  t.is(verdict('SCMP_ACT_KILL'), '0')
  t.is(verdict('SCMP_ACT_KILL_THREAD'), '0')
  t.is(verdict('SCMP_ACT_KILL_PROCESS', 5), '80000000')
  t.is(verdict('SCMP_ACT_TRAP'), '30000')
  t.is(verdict('SCMP_ACT_ERRNO'), '50001')
  t.is(verdict('SCMP_ACT_ERRNO', 0), '50000')
  t.is(verdict('SCMP_ACT_TRACE', 77), '7ff0004d')
  t.is(verdict('SCMP_ACT_NOTIFY'), '7fc00000')
  t.is(verdict('SCMP_ACT_LOG'), '7ffc0000')
})

test('wrong words are refused with their place', (t) => {
  const refused = (profile: Partial<Seccomp>, path: string) =>
    t.like(
      t.throws(() => compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', ...profile })),
      { code: 'INVALID_ARGUMENT', path },
    )
  refused({ defaultAction: 'ALLOW' }, 'linux.seccomp.defaultAction')
  refused({ architectures: ['SCMP_ARCH_VAX'] }, 'linux.seccomp.architectures[0]')
  refused({ architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_S390X'] }, 'linux.seccomp.architectures[1]')
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
