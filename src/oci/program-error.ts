import { readSync } from 'node:fs'
import { type KeelsonError, SyscallError } from '../base/index.ts'
import { Tree } from '../kernel/index.ts'

/** e_machine of ELF headers (elf.h), by what people call it. */
const machines: Readonly<Record<number, string>> = {
  3: 'i386',
  8: 'mips',
  20: 'powerpc',
  21: 'powerpc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
  258: 'loongarch',
}
const ownMachines: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }

/**
 * Why the kernel would not run a program that is there, as far as its first bytes tell: made for another machine, or
 * a script whose interpreter is missing. Undefined when they tell nothing.
 */
export function whyNotRun(errno: string, head: Buffer, arch: string): string | undefined {
  const isElf = head.length >= 20 && head.readUInt32BE(0) === 0x7f454c46
  if (errno === 'ENOEXEC' && isElf) {
    const machine = head[5] === 2 ? head.readUInt16BE(18) : head.readUInt16LE(18)
    const own = ownMachines[arch]
    if (machine === own) return undefined
    return `it is for ${machines[machine] ?? `ELF machine ${machine}`}, and this host is ${machines[own ?? 0] ?? arch}`
  }
  if (errno === 'ENOEXEC')
    return head.length === 0 ? 'the file is empty' : 'it is neither ELF nor a script with #!'
  if (errno !== 'ENOENT') return undefined
  const interpreter = /^#![ \t]*([^ \t\n\0]+)/.exec(head.toString('latin1'))?.[1]
  if (interpreter !== undefined) return `the interpreter ${interpreter} of the script is missing`
  return isElf ? 'the file is there, its dynamic loader is missing' : undefined
}

/** The same error with the reason, where the program lies in this directory; without one as it is. */
export function explainProgram(error: KeelsonError, rootfs: string | undefined): KeelsonError {
  if (!(error instanceof SyscallError) || error.call !== 'execve' || rootfs === undefined) return error
  const { path = '', errno, op, id, hint } = error
  const head = headOf(rootfs, path)
  const why = head && whyNotRun(errno, head, process.arch)
  if (why === undefined) return error
  return new SyscallError(
    {
      path,
      errno,
      call: error.call,
      ...(op ? { op } : {}),
      ...(id ? { id } : {}),
      ...(hint ? { hint } : {}),
    },
    `${error.message}: ${why}`,
  )
}

/** Through the root's descriptor: links of the image lead nowhere else. Undefined when it cannot be read. */
function headOf(rootfs: string, path: string): Buffer | undefined {
  try {
    using tree = new Tree(rootfs)
    using file = tree.openFile(path.replace(/^\/+/, ''))
    const head = Buffer.alloc(256)
    return head.subarray(0, readSync(file.fd, head, 0, head.length, 0))
  } catch {
    return undefined
  }
}
