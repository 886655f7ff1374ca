import { join } from 'node:path'
import { readOrEmpty } from './files.ts'
import { type BlkioEntry, type PressureStats, parseNumber } from './stat-file.ts'

/**
 * What the cgroups of a container have counted. Names and nesting are those of runc's `events` (types/events.go),
 * which engines and monitoring read. Numbers of the kernel are 64 bits wide, hence bigint.
 */
export interface ContainerStats {
  cpu: CpuStats
  cpuset: CpusetStats
  memory: MemoryStats
  pids: { current: bigint /** 0: no limit. */; limit: bigint }
  blkio: BlkioStats
  /** By page size, such as `2MB`. */
  hugetlb: Record<string, { usage: bigint; max: bigint; failcnt: bigint }>
}

export interface CpuStats {
  /** Nanoseconds. */
  usage: {
    total: bigint
    kernel: bigint
    user: bigint
    /** v1 only, one for each CPU. */
    percpu: bigint[]
    percpu_kernel: bigint[]
    percpu_user: bigint[]
  }
  throttling: { periods: bigint; throttledPeriods: bigint /** Nanoseconds. */; throttledTime: bigint }
  psi?: PressureStats
}

/** v1 only; all zero on v2, as in runc. */
export interface CpusetStats {
  cpus: number[]
  mems: number[]
  cpu_exclusive: bigint
  mem_hardwall: bigint
  mem_exclusive: bigint
  memory_migrate: bigint
  memory_spread_page: bigint
  memory_spread_slab: bigint
  memory_pressure: bigint
  sched_load_balance: bigint
  sched_relax_domain_level: bigint
}

export interface MemoryEntry {
  limit: bigint
  usage: bigint
  /** The most it has been. */
  max: bigint
  failcnt: bigint
}

export interface MemoryStats {
  cache: bigint
  usage: MemoryEntry
  /** Memory and swap together, on v2 too. */
  swap: MemoryEntry
  kernel: MemoryEntry
  kernelTCP: MemoryEntry
  /** memory.stat as it is. */
  raw: Record<string, bigint>
  psi?: PressureStats
}

export const blkioTables = [
  'ioServiceBytesRecursive',
  'ioServicedRecursive',
  'ioQueueRecursive',
  'ioServiceTimeRecursive',
  'ioWaitTimeRecursive',
  'ioMergedRecursive',
  'ioTimeRecursive',
  'sectorsRecursive',
] as const

export type BlkioStats = Record<(typeof blkioTables)[number], BlkioEntry[]> & { psi?: PressureStats }

/** Reads files of one directory; a file that is not there is empty. */
export interface StatReader {
  text(file: string): Promise<string>
  /** 0 where there is none. */
  number(file: string): Promise<bigint>
}

export function statReader(directory: string): StatReader {
  const text = (file: string) => readOrEmpty(join(directory, file))
  return { text, number: async (file) => parseNumber(await text(file)) ?? 0n }
}

export const noMemory: MemoryEntry = { limit: 0n, usage: 0n, max: 0n, failcnt: 0n }

export function emptyStats(): ContainerStats {
  return {
    cpu: {
      usage: { total: 0n, kernel: 0n, user: 0n, percpu: [], percpu_kernel: [], percpu_user: [] },
      throttling: { periods: 0n, throttledPeriods: 0n, throttledTime: 0n },
    },
    cpuset: {
      cpus: [],
      mems: [],
      cpu_exclusive: 0n,
      mem_hardwall: 0n,
      mem_exclusive: 0n,
      memory_migrate: 0n,
      memory_spread_page: 0n,
      memory_spread_slab: 0n,
      memory_pressure: 0n,
      sched_load_balance: 0n,
      sched_relax_domain_level: 0n,
    },
    memory: {
      cache: 0n,
      usage: noMemory,
      swap: noMemory,
      kernel: noMemory,
      kernelTCP: noMemory,
      raw: {},
    },
    pids: { current: 0n, limit: 0n },
    blkio: Object.fromEntries(blkioTables.map((name) => [name, []])) as unknown as BlkioStats,
    hugetlb: {},
  }
}
