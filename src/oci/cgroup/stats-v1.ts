import { parseBlkio, parseFlat, parseList, unlimited } from './stat-file.ts'
import { blkioTables, type ContainerStats, type MemoryEntry, type StatReader } from './stats.ts'

/** The hierarchy of a controller; undefined where the host has none. */
type Hierarchy = (controller: string) => StatReader | undefined

const nsPerTick = 10_000_000n // USER_HZ is 100 on every architecture that keelson runs on

export async function readV1Stats(stats: ContainerStats, hierarchy: Hierarchy): Promise<void> {
  const readers: [string, (stats: ContainerStats, reader: StatReader) => Promise<void>][] = [
    ['cpu', cpuThrottling],
    ['cpuacct', cpuUsage],
    ['cpuset', cpuset],
    ['memory', memory],
    ['pids', pids],
    ['blkio', blkio],
  ]
  await Promise.all(
    readers.map(async ([controller, read]) => {
      const reader = hierarchy(controller)
      if (reader) await read(stats, reader)
    }),
  )
}

async function cpuThrottling({ cpu }: ContainerStats, { text }: StatReader): Promise<void> {
  const { nr_periods = 0n, nr_throttled = 0n, throttled_time = 0n } = parseFlat(await text('cpu.stat'))
  cpu.throttling = { periods: nr_periods, throttledPeriods: nr_throttled, throttledTime: throttled_time }
}

async function cpuUsage({ cpu }: ContainerStats, { text, number }: StatReader): Promise<void> {
  const { user = 0n, system = 0n } = parseFlat(await text('cpuacct.stat'))
  const all = [...(await text('cpuacct.usage_all')).matchAll(/^\d+ (\d+) (\d+)$/gm)]
  const perCpu = (await text('cpuacct.usage_percpu')).trim()
  cpu.usage = {
    total: await number('cpuacct.usage'),
    kernel: system * nsPerTick,
    user: user * nsPerTick,
    percpu: perCpu === '' ? [] : perCpu.split(/\s+/).map(BigInt),
    percpu_user: all.map(([, inUser = 0]) => BigInt(inUser)),
    percpu_kernel: all.map(([, , inKernel = 0]) => BigInt(inKernel)),
  }
}

async function cpuset({ cpuset }: ContainerStats, { text, number }: StatReader): Promise<void> {
  cpuset.cpus = parseList(await text('cpuset.cpus'))
  cpuset.mems = parseList(await text('cpuset.mems'))
  for (const name of [
    'cpu_exclusive',
    'mem_hardwall',
    'mem_exclusive',
    'memory_migrate',
    'memory_spread_page',
    'memory_spread_slab',
    'memory_pressure',
    'sched_load_balance',
  ] as const)
    cpuset[name] = await number(`cpuset.${name}`)
  cpuset.sched_relax_domain_level = BigInt((await text('cpuset.sched_relax_domain_level')).trim() || 0)
}

async function memory({ memory }: ContainerStats, { text, number }: StatReader): Promise<void> {
  const entry = async (name: string): Promise<MemoryEntry> => ({
    limit: await number(`${name}.limit_in_bytes`),
    usage: await number(`${name}.usage_in_bytes`),
    max: await number(`${name}.max_usage_in_bytes`),
    failcnt: await number(`${name}.failcnt`),
  })
  memory.raw = parseFlat(await text('memory.stat'))
  memory.cache = memory.raw['cache'] ?? 0n
  memory.usage = await entry('memory')
  memory.swap = await entry('memory.memsw')
  memory.kernel = await entry('memory.kmem')
  memory.kernelTCP = await entry('memory.kmem.tcp')
}

async function pids({ pids }: ContainerStats, { number }: StatReader): Promise<void> {
  pids.current = await number('pids.current')
  const limit = await number('pids.max')
  pids.limit = limit === unlimited ? 0n : limit
}

const blkioFiles: Record<(typeof blkioTables)[number], string> = {
  ioServiceBytesRecursive: 'io_service_bytes_recursive',
  ioServicedRecursive: 'io_serviced_recursive',
  ioQueueRecursive: 'io_queued_recursive',
  ioServiceTimeRecursive: 'io_service_time_recursive',
  ioWaitTimeRecursive: 'io_wait_time_recursive',
  ioMergedRecursive: 'io_merged_recursive',
  ioTimeRecursive: 'time_recursive',
  sectorsRecursive: 'sectors_recursive',
}

/** By whoever counts: the bfq scheduler, CFQ (Linux < 5.0), and what every kernel has, the throttling layer. */
async function blkio({ blkio }: ContainerStats, { text }: StatReader): Promise<void> {
  for (const prefix of ['blkio.bfq.', 'blkio.', 'blkio.throttle.']) {
    const serviced = parseBlkio(await text(`${prefix}${blkioFiles.ioServicedRecursive}`))
    if (serviced.length === 0 && prefix !== 'blkio.throttle.') continue
    for (const table of blkioTables) blkio[table] = parseBlkio(await text(`${prefix}${blkioFiles[table]}`))
    return
  }
}
