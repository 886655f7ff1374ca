import { MetricType } from '../../../cri/types.ts'
import { type MetricFamily, sample } from './family.ts'
import type { Reading } from './reading.ts'

const { COUNTER: counter, GAUGE: gauge } = MetricType

export const memoryFamilies: readonly MetricFamily[] = [
  {
    name: 'container_memory_usage_bytes',
    help: 'Memory in use, with the page cache.',
    type: gauge,
    read: ({ usage }) => sample(usage.memory.bytes),
  },
  {
    name: 'container_memory_working_set_bytes',
    help: 'Memory in use without the part of the page cache that could go at once.',
    type: gauge,
    read: ({ usage }) => sample(usage.memory.workingSetBytes),
  },
  {
    name: 'container_memory_rss',
    help: 'Anonymous memory, in bytes.',
    type: gauge,
    read: ({ usage }) => sample(usage.memory.rssBytes),
  },
  {
    name: 'container_memory_cache',
    help: 'Page cache, in bytes.',
    type: gauge,
    read: (reading) => sample(rawOf(reading, 'total_cache', 'file') ?? 0n),
  },
  {
    name: 'container_memory_mapped_file',
    help: 'Files mapped into memory, in bytes.',
    type: gauge,
    read: (reading) => sample(rawOf(reading, 'total_mapped_file', 'file_mapped') ?? 0n),
  },
  {
    name: 'container_memory_swap',
    help: 'Swap in use, in bytes.',
    type: gauge,
    read: ({ usage }) => sample(usage.swap?.bytes ?? 0n),
  },
  {
    name: 'container_memory_max_usage_bytes',
    help: 'The most memory that was ever in use.',
    type: gauge,
    read: ({ stats }) => sample(stats.memory.usage.max),
  },
  {
    name: 'container_memory_kernel_usage',
    help: 'Memory that the kernel uses for it, in bytes.',
    type: gauge,
    read: ({ stats }) => sample(stats.memory.kernel.usage || v2Kernel(stats.memory.raw)),
  },
  {
    name: 'container_memory_failcnt',
    help: 'Times that memory in use met its limit.',
    type: counter,
    read: ({ inForce }) => sample(inForce.memory.hits),
  },
  {
    name: 'container_memory_failures_total',
    help: 'Page faults, of it alone and with all below.',
    type: counter,
    labels: ['failure_type', 'scope'],
    read: (reading) =>
      (['pgfault', 'pgmajfault'] as const).flatMap((kind) => [
        ...sample(rawOf(reading, kind, kind) ?? 0n, kind, 'container'),
        ...sample(rawOf(reading, `total_${kind}`, kind) ?? 0n, kind, 'hierarchy'),
      ]),
  },
  {
    name: 'container_oom_events_total',
    help: 'Processes that were ended for want of memory.',
    type: counter,
    read: ({ inForce }) => sample(inForce.memory.oomKills),
  },
]

/** A line of memory.stat by its name on v1, else by that on v2. */
function rawOf({ stats }: Reading, v1: string, v2: string): bigint | undefined {
  return stats.memory.raw[v1] ?? stats.memory.raw[v2]
}

/** The sum is a line of its own since Linux 5.18. */
function v2Kernel(raw: Readonly<Record<string, bigint>>): bigint {
  const parts = ['kernel_stack', 'pagetables', 'percpu', 'slab'].map((name) => raw[name] ?? 0n)
  return raw['kernel'] ?? parts.reduce((sum, part) => sum + part, 0n)
}
