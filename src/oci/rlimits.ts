import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'
import type { Rlimit } from './spec.ts'

/** Resource numbers of setrlimit(2); the same on x86_64 and arm64. */
export const rlimitNumbers: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
}

/** The specification's word for a resource number. */
export function rlimitName(resource: number): string {
  const found = Object.entries(rlimitNumbers).find(([, number]) => number === resource)
  return found?.[0] ?? `rlimit ${resource}`
}

export const rlimInfinity = 2n ** 64n - 1n

export interface CompiledRlimit {
  resource: number
  soft: bigint
  hard: bigint
}

/** Spec limits as prlimit(2) takes them. INVALID_ARGUMENT for an unknown or repeated type (config.md, process). */
export function compileRlimits(rlimits: readonly Rlimit[] = []): CompiledRlimit[] {
  const seen = new Set<string>()
  return rlimits.map(({ type, soft, hard }, index) => {
    const path = `process.rlimits[${index}].type`
    const resource = rlimitNumbers[type]
    if (resource === undefined)
      throw new KeelsonError('INVALID_ARGUMENT', `${path}: unknown rlimit type ${shown(type)}`, {
        path,
        hint: `use one of ${Object.keys(rlimitNumbers).join(', ')}`,
      })
    if (seen.has(type))
      throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${type} is given twice`, {
        path,
        hint: 'keep one',
      })
    seen.add(type)
    return { resource, soft: limitValue(soft), hard: limitValue(hard) }
  })
}

/**
 * JSON numbers above 2^53 lose their last digits: RLIM_INFINITY (2^64 - 1) arrives as 2^64. Whatever no file, byte
 * or second count can reach (2^63 and above), and -1, therefore means infinity.
 */
function limitValue(value: number): bigint {
  return value < 0 || value >= 2 ** 63 ? rlimInfinity : BigInt(Math.trunc(value))
}
