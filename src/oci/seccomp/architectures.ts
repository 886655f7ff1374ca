import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { Architecture } from './syscall-numbers.ts'

const architectures: Readonly<Record<string, Architecture | undefined>> = {
  SCMP_ARCH_X86_64: 'x86_64',
  SCMP_ARCH_X86: 'x86',
  SCMP_ARCH_X32: 'x32',
  SCMP_ARCH_AARCH64: 'aarch64',
  SCMP_ARCH_ARM: 'arm',
}
export const knownArchitectures = Object.keys(architectures)

/** Known to the specification, but no process of a machine we run on can make their calls, and we have no table. */
const foreign =
  /^SCMP_ARCH_(MIPS|MIPS64|MIPS64N32|MIPSEL|MIPSEL64|MIPSEL64N32|PPC|PPC64|PPC64LE|S390|S390X|PARISC|PARISC64|RISCV64|LOONGARCH64|M68K|SH|SHEB)$/

/** What the kernel calls them in struct seccomp_data (include/uapi/linux/audit.h). */
export const auditValues: Readonly<Record<Architecture, number>> = {
  x86_64: 0xc000003e,
  x32: 0xc000003e,
  x86: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
}

export type NativeArchitecture = 'x86_64' | 'aarch64'

export function nativeArchitecture(): NativeArchitecture {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64'
}

/** Arguments of 64 bits; x32 passes them in 64-bit registers, but libseccomp looks at the low half alone. */
export function isWide(architecture: Architecture): boolean {
  return architecture === 'x86_64' || architecture === 'aarch64'
}

/** The native one first, then the listed ones. INVALID_ARGUMENT with the JSON path for one we know nothing of. */
export function filterArchitectures(
  names: readonly string[] = [],
  native: NativeArchitecture,
): Architecture[] {
  const listed = names.map((name, index) => architectures[name] ?? refuse(name, index))
  return [...new Set<Architecture>([native, ...listed])]
}

function refuse(name: string, index: number): never {
  const path = `linux.seccomp.architectures[${index}]`
  const what = foreign.test(name) ? 'no system call numbers for' : 'unknown'
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${what} architecture ${shown(name)}`, {
    path,
    hint: `use some of ${knownArchitectures.join(', ')}: calls of all others end their process`,
  })
}
