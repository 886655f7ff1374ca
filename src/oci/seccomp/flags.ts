import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { Seccomp } from '../spec.ts'

const tsync = 1
const waitKillable = 32
const newListener = 8

const flags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: tsync,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: waitKillable,
}
export const knownFlags = Object.keys(flags)

/** The names among the known flags whose bits are set. */
export function flagNames(bits: number): string[] {
  return knownFlags.filter((name) => ((flags[name] ?? 0) & bits) !== 0)
}

/**
 * The flags of seccomp(2). No list at all means SPEC_ALLOW, as in runc. TSYNC does nothing for a process with one
 * thread and may not be combined with a listener, so it is dropped there; WAIT_KILLABLE_RECV is about a listener, and
 * the kernel refuses it without one.
 */
export function filterFlags(
  { flags: named }: Pick<Seccomp, 'flags'>,
  notify: boolean,
  supported: number,
): number {
  const bits = (named ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).map((name, index) =>
    bitOf(name, index, supported),
  )
  const all = bits.reduce((sum, bit) => sum | bit, 0)
  return notify ? (all & ~tsync) | newListener : all & ~waitKillable
}

function bitOf(name: string, index: number, supported: number): number {
  const path = `linux.seccomp.flags[${index}]`
  const bit = flags[name]
  if (bit === undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown seccomp flag ${shown(name)}`, {
      path,
      hint: `use some of ${knownFlags.join(', ')}`,
    })
  if ((bit & supported) !== 0) return bit
  throw new KeelsonError('FAILED_PRECONDITION', `${path}: this kernel does not have ${name}`, {
    path,
    hint: `it has ${flagNames(supported).join(', ')}`,
  })
}
