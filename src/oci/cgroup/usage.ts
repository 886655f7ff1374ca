import { join } from 'node:path'
import { whichExist } from '../../kernel/index.ts'
import { cgroupPids } from './control.ts'
import { type CgroupLayout, v1Hierarchy } from './layout.ts'
import { pathChains } from './path.ts'
import { type PressureStats, parseFlat, parseNumber, parsePressure, unlimited } from './stat-file.ts'
import { type StatReader, statReader } from './stats.ts'

/**
 * What a cgroup uses now, by as few reads as that takes: for callers that ask of hundreds at once and again every few
 * seconds. All that a cgroup counts is in `readStats`. A number that this host does not count is absent.
 */
export interface CgroupUsage {
  cpuNs: bigint
  memory: {
    bytes: bigint
    /** What could not be dropped under pressure at once: usage without the inactive part of the page cache. */
    workingSetBytes: bigint
    rssBytes: bigint
    /** Those that no disk had to be read for. */
    minorPageFaults: bigint
    majorPageFaults: bigint
    /** Absent: no limit. */
    limitBytes?: bigint
  }
  /** Absent where swap is not counted. */
  swap?: { bytes: bigint /** Swap alone; absent: no limit. */; limitBytes?: bigint }
  /** Of the v2 tree, which hybrid hosts have too. */
  pressure: Pressures
}

export interface Pressures {
  cpu?: PressureStats
  memory?: PressureStats
  io?: PressureStats
}

/** Undefined when there is no cgroup at this path. */
export async function readUsage(layout: CgroupLayout, path: string): Promise<CgroupUsage | undefined> {
  const directoryOf = directories(layout, path)
  const cpu = directoryOf('cpuacct')
  const memory = directoryOf('memory')
  if (!whichExist([cpu, memory]).every(Boolean)) return undefined
  const isV1 = v1Hierarchy(layout, 'memory') !== undefined
  const [cpuNs, used, pressure] = await Promise.all([
    cpuTime(statReader(cpu), v1Hierarchy(layout, 'cpuacct') !== undefined),
    isV1 ? v1Memory(statReader(memory)) : v2Memory(statReader(memory)),
    readPressures(layout, path),
  ])
  return { cpuNs, ...used, pressure }
}

export async function readPressures(layout: CgroupLayout, path: string): Promise<Pressures> {
  if (!layout.v2) return {}
  const { text } = statReader(pathChains(layout, path)(layout.v2).at(-1) ?? layout.v2.mountPoint)
  const of = async (name: keyof Pressures) => {
    const psi = parsePressure(await text(`${name}.pressure`))
    return psi ? { [name]: psi } : {}
  }
  return Object.assign({}, ...(await Promise.all([of('cpu'), of('memory'), of('io')])))
}

/** Every process at this path and below, ascending; none where there is no cgroup. */
export function processesAt(layout: CgroupLayout, path: string): Promise<number[]> {
  return cgroupPids([directories(layout, path)('pids')])
}

/** The directory at this path in the hierarchy that has a controller. */
export function directories(layout: CgroupLayout, path: string): (controller: string) => string {
  const chainIn = pathChains(layout, path)
  return (controller) => {
    const hierarchy = v1Hierarchy(layout, controller) ?? layout.v2
    return hierarchy ? (chainIn(hierarchy).at(-1) ?? hierarchy.mountPoint) : join('/', path)
  }
}

async function cpuTime({ text, number }: StatReader, isV1: boolean): Promise<bigint> {
  if (isV1) return number('cpuacct.usage')
  return (parseFlat(await text('cpu.stat'))['usage_usec'] ?? 0n) * 1000n
}

type MemoryUsage = Pick<CgroupUsage, 'memory' | 'swap'>

/** The kernel writes its largest number of pages for "no limit". */
const v1Unlimited = 2n ** 62n

async function v1Memory({ text, number }: StatReader): Promise<MemoryUsage> {
  const [bytes, limit, both, stat] = await Promise.all([
    number('memory.usage_in_bytes'),
    number('memory.limit_in_bytes'),
    text('memory.memsw.limit_in_bytes'),
    text('memory.stat'),
  ])
  const raw = parseFlat(stat)
  const memoryAndSwap = parseNumber(both)
  return {
    memory: memoryOf(bytes, limit < v1Unlimited ? limit : undefined, {
      inactive: raw['total_inactive_file'],
      rss: raw['total_rss'],
      faults: raw['total_pgfault'],
      major: raw['total_pgmajfault'],
    }),
    ...(memoryAndSwap === undefined
      ? {}
      : {
          swap: {
            bytes: raw['total_swap'] ?? 0n,
            ...(memoryAndSwap < v1Unlimited && limit < v1Unlimited
              ? { limitBytes: memoryAndSwap - limit }
              : {}),
          },
        }),
  }
}

async function v2Memory({ text, number }: StatReader): Promise<MemoryUsage> {
  const [bytes, limit, swapped, swapMost, stat] = await Promise.all([
    number('memory.current'),
    text('memory.max'),
    text('memory.swap.current'),
    text('memory.swap.max'),
    text('memory.stat'),
  ])
  const raw = parseFlat(stat)
  const swap = parseNumber(swapped)
  const swapLimit = finite(swapMost)
  return {
    memory: memoryOf(bytes, finite(limit), {
      inactive: raw['inactive_file'],
      rss: raw['anon'],
      faults: raw['pgfault'],
      major: raw['pgmajfault'],
    }),
    ...(swap === undefined
      ? {}
      : { swap: { bytes: swap, ...(swapLimit === undefined ? {} : { limitBytes: swapLimit }) } }),
  }
}

function memoryOf(
  bytes: bigint,
  limitBytes: bigint | undefined,
  {
    inactive = 0n,
    rss = 0n,
    faults = 0n,
    major = 0n,
  }: Record<'inactive' | 'rss' | 'faults' | 'major', bigint | undefined>,
): CgroupUsage['memory'] {
  return {
    bytes,
    workingSetBytes: bytes > inactive ? bytes - inactive : 0n,
    rssBytes: rss,
    minorPageFaults: faults - major,
    majorPageFaults: major,
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

function finite(text: string): bigint | undefined {
  const value = parseNumber(text)
  return value === unlimited ? undefined : value
}
