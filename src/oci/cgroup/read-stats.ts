import { readdirSync } from 'node:fs'
import { hasErrno } from '../../base/index.ts'
import { type CgroupHierarchy, type CgroupLayout, v1Hierarchy } from './layout.ts'
import { pathChains } from './path.ts'
import { parseFlat, parseIoStat, parsePressure, unlimited } from './stat-file.ts'
import { type ContainerStats, emptyStats, type MemoryEntry, type StatReader, statReader } from './stats.ts'
import { readV1Stats } from './stats-v1.ts'

/** Of the cgroups at this path, whichever version has which controller. What is gone or not there counts as zero. */
export async function readStats(layout: CgroupLayout, path: string): Promise<ContainerStats> {
  const stats = emptyStats()
  const chainIn = pathChains(layout, path)
  const reader = (one: CgroupHierarchy) => statReader(chainIn(one).at(-1) ?? one.mountPoint)
  const v1 = (controller: string) => {
    const hierarchy = v1Hierarchy(layout, controller)
    return hierarchy && reader(hierarchy)
  }
  const v2 = layout.v2 && reader(layout.v2)
  if (layout.mode !== 'v2') await readV1Stats(stats, v1)
  else if (v2) await readV2Stats(stats, v2)
  const hugetlb = v1Hierarchy(layout, 'hugetlb') ?? layout.v2
  if (hugetlb) await readHugetlb(stats, reader(hugetlb), hugetlb === layout.v2)
  return stats
}

async function readV2Stats(stats: ContainerStats, { text, number }: StatReader): Promise<void> {
  await Promise.all([v2Cpu(stats, text), v2Memory(stats, { text, number }), v2Io(stats, text)])
  stats.pids.current = await number('pids.current')
  const limit = await number('pids.max')
  stats.pids.limit = limit === unlimited ? 0n : limit
}

async function v2Cpu({ cpu }: ContainerStats, text: StatReader['text']): Promise<void> {
  const stat = parseFlat(await text('cpu.stat'))
  const ns = (name: string) => (stat[name] ?? 0n) * 1000n
  Object.assign(cpu.usage, { total: ns('usage_usec'), user: ns('user_usec'), kernel: ns('system_usec') })
  const { nr_periods: periods = 0n, nr_throttled: throttledPeriods = 0n } = stat
  cpu.throttling = { periods, throttledPeriods, throttledTime: ns('throttled_usec') }
  Object.assign(cpu, pressure(await text('cpu.pressure')))
}

/** v1 counts swap with memory, and so does runc for v2. */
async function v2Memory({ memory }: ContainerStats, { text, number }: StatReader): Promise<void> {
  const entry = async (name: string): Promise<MemoryEntry> => ({
    usage: await number(`${name}.current`),
    limit: await number(`${name}.max`),
    max: await number(`${name}.peak`),
    failcnt: 0n,
  })
  memory.raw = parseFlat(await text('memory.stat'))
  memory.cache = memory.raw['file'] ?? 0n
  memory.usage = await entry('memory')
  const swap = await entry('memory.swap')
  memory.swap = {
    usage: swap.usage + memory.usage.usage,
    limit: swap.limit === unlimited ? unlimited : swap.limit + memory.usage.limit,
    max: 0n,
    failcnt: 0n,
  }
  if (memory.swap.limit > unlimited) memory.swap.limit = unlimited
  Object.assign(memory, pressure(await text('memory.pressure')))
}

async function v2Io({ blkio }: ContainerStats, text: StatReader['text']): Promise<void> {
  const stat = await text('io.stat')
  blkio.ioServiceBytesRecursive = parseIoStat(stat, { rbytes: 'Read', wbytes: 'Write' })
  blkio.ioServicedRecursive = parseIoStat(stat, { rios: 'Read', wios: 'Write' })
  Object.assign(blkio, pressure(await text('io.pressure')))
}

function pressure(text: string): { psi?: ReturnType<typeof parsePressure> & object } {
  const psi = parsePressure(text)
  return psi ? { psi } : {}
}

/** Reservations are what limits count, where the kernel has them. */
async function readHugetlb(
  stats: ContainerStats,
  { text, number }: StatReader,
  isV2: boolean,
): Promise<void> {
  for (const size of hugepageSizes()) {
    const reserved = `hugetlb.${size}.rsvd`
    const [current, most] = isV2 ? ['current', ''] : ['usage_in_bytes', 'max_usage_in_bytes']
    const prefix = (await text(`${reserved}.${current}`)) === '' ? `hugetlb.${size}` : reserved
    if ((await text(`${prefix}.${current}`)) === '') continue
    stats.hugetlb[size] = {
      usage: await number(`${prefix}.${current}`),
      max: isV2 ? 0n : await number(`${prefix}.${most}`),
      failcnt: isV2
        ? (parseFlat(await text(`hugetlb.${size}.events`))['max'] ?? 0n)
        : await number(`${prefix}.failcnt`),
    }
  }
}

/** `2MB` for a folder hugepages-2048kB, as the files of the controller are named. */
function hugepageSizes(): string[] {
  try {
    return readdirSync('/sys/kernel/mm/hugepages').flatMap((name) => {
      const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0)
      if (kib === 0) return []
      return kib >= 1 << 20 ? `${kib >> 20}GB` : kib >= 1 << 10 ? `${kib >> 10}MB` : `${kib}KB`
    })
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}
