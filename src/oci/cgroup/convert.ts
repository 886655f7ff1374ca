import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'

/**
 * Values of config.json as the v2 files want them. The v1 files take the specification's numbers as they are. The
 * rules are those that runc 1.3.2 and crun 1.23 share, so that a container weighs the same under each of them.
 */

/**
 * cpu.shares (2…262144) → cpu.weight (1…10000): the curve through (2, 1), (1024, 100) and (262144, 10000).
 * 0 means unset and gives undefined.
 */
export function cpuWeight(shares: number): number | undefined {
  if (shares === 0) return undefined
  if (shares <= 2) return 1
  if (shares >= 262144) return 10000
  const log = Math.log2(shares)
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
}

/** blkio weight (10…1000) → io.weight (1…10000), linear. 0 means unset and gives undefined. */
export function ioWeight(weight: number): number | undefined {
  if (weight === 0) return undefined
  return Math.trunc(1 + ((weight - 10) * 9999) / 990)
}

/** quota and period in microseconds → cpu.max. No quota (0 or negative) is `max`; the period's default is 100 ms. */
export function cpuMax(quota: number | undefined, period: number | undefined): string | undefined {
  if (!quota && !period) return undefined
  return `${quota !== undefined && quota > 0 ? decimal(quota) : 'max'} ${decimal(period || 100_000)}`
}

/** INVALID_ARGUMENT for a weight that neither scale has. */
export function checkedWeight(weight: number, name: string): string {
  if (weight >= 10 && weight <= 1000) return decimal(weight)
  const path = `linux.resources.blockIO.${name}`
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${weight} is out of range`, {
    path,
    hint: 'use 10 to 1000',
  })
}

/** It becomes a part of a file's name, so nothing but a size passes (runc#4103). */
export function hugepageSize(pageSize: string, index: number): string {
  if (/^[1-9]\d{0,9}[KMG]B$/.test(pageSize)) return pageSize
  const path = `linux.resources.hugepageLimits[${index}].pageSize`
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${shown(pageSize)} is no page size`, {
    path,
    hint: 'write a size such as 64KB, 2MB or 1GB',
  })
}

/** -1 is the specification's word for no limit, `max` the kernel's. */
export function limitOrMax(value: number): string {
  return value < 0 ? 'max' : decimal(value)
}

/**
 * The specification counts memory and swap together, cgroup v2 swap alone. Undefined when nothing is to be written.
 * INVALID_ARGUMENT for a sum without or below its memory part.
 */
export function swapMax(swap: number | undefined, limit: number | undefined): string | undefined {
  if (swap === undefined || swap === 0) return limit === -1 ? 'max' : undefined
  if (swap < 0) return 'max'
  const path = 'linux.resources.memory.swap'
  if (limit === undefined || limit === 0)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: is given without memory.limit`, {
      path,
      hint: 'set memory.limit; swap counts memory and swap together',
    })
  if (limit < 0)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: is limited while memory.limit is not`, {
      path,
      hint: 'set memory.swap to -1, or limit the memory as well',
    })
  if (swap < limit)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: is less than memory.limit`, {
      path,
      hint: 'swap counts memory and swap together, so it must be at least memory.limit',
    })
  return decimal(swap - limit)
}

/** A whole number without exponent, also above 2^53. */
export function decimal(value: number): string {
  return BigInt(Math.trunc(value)).toString()
}
