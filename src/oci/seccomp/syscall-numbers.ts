import { elsewhereSyscalls, packedSyscallNumbers } from './syscall-numbers.generated.ts'

/** The architectures whose calls a process on an x86_64 or arm64 machine can make. */
export type Architecture = keyof typeof packedSyscallNumbers

/** x32 calls arrive with the x86_64 audit value and this bit in their number. */
export const x32Bit = 0x40000000

const tables = new Map<Architecture, ReadonlyMap<string, number>>()

/** name → number, as the kernel passes it to a filter (x32 with its bit). Unpacked at the first use. */
export function syscallNumbers(architecture: Architecture): ReadonlyMap<string, number> {
  const known = tables.get(architecture)
  if (known) return known
  const table = unpack(packedSyscallNumbers[architecture], architecture === 'x32' ? x32Bit : 0)
  tables.set(architecture, table)
  return table
}

let elsewhere: ReadonlySet<string> | undefined

/** A system call of Linux, on whatever architecture: one profile names the calls of all of them. */
export function isKnownAnywhere(name: string): boolean {
  const architectures = Object.keys(packedSyscallNumbers) as Architecture[]
  if (architectures.some((one) => syscallNumbers(one).has(name))) return true
  elsewhere ??= new Set(elsewhereSyscalls.trim().split(/\s+/))
  return elsewhere.has(name)
}

function unpack(text: string, base: number): Map<string, number> {
  const table = new Map<string, number>()
  let next = base
  for (const word of text.trim().split(/\s+/)) {
    const [name = '', number] = word.split('=')
    const value = number === undefined ? next : base + Number(number)
    table.set(name, value)
    next = value + 1
  }
  return table
}
