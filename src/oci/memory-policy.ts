import { KeelsonError } from '../base/index.ts'
import { numberListMask } from './number-list.ts'
import { shown } from './shown.ts'
import type { MemoryPolicy } from './spec.ts'

/** set_mempolicy(2): the specification's words are the kernel's. */
const modes: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
}
const flagBits: Readonly<Record<string, number>> = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
}
export const memoryPolicyModes = Object.keys(modes)
export const memoryPolicyFlags = Object.keys(flagBits)

const withoutNodes = new Set(['MPOL_DEFAULT', 'MPOL_LOCAL'])
const needsNodes = new Set([
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_PREFERRED_MANY',
  'MPOL_WEIGHTED_INTERLEAVE',
])

/** `linux.memoryPolicy`. INVALID_ARGUMENT with the path of what the kernel would not take. */
export function memoryPolicyArguments({ mode, nodes = '', flags = [] }: MemoryPolicy): {
  mode: number
  nodes: Uint8Array
} {
  const at = 'linux.memoryPolicy'
  const number = Object.hasOwn(modes, mode) ? modes[mode] : undefined
  if (number === undefined)
    throw invalid(`${at}.mode`, `unknown mode ${shown(mode)}`, `use one of ${memoryPolicyModes.join(', ')}`)
  const mask = numberListMask(nodes, `${at}.nodes`)
  if (mask.length > 0 && withoutNodes.has(mode))
    throw invalid(`${at}.nodes`, `${mode} takes no nodes`, 'leave them out')
  if (mask.length === 0 && needsNodes.has(mode))
    throw invalid(`${at}.nodes`, `${mode} needs nodes`, 'write 0 or 0-1')
  const bits = flags.reduce((sum, flag, index) => {
    const bit = Object.hasOwn(flagBits, flag) ? flagBits[flag] : undefined
    if (bit !== undefined) return sum | bit
    throw invalid(
      `${at}.flags[${index}]`,
      `unknown flag ${shown(flag)}`,
      `use some of ${memoryPolicyFlags.join(', ')}`,
    )
  }, 0)
  return { mode: number | bits, nodes: mask }
}

function invalid(path: string, message: string, hint: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}
