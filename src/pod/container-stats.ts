import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ContainerStats,
  type ContainerStatsRequest,
  ContainerStatsResponse,
  type ListContainerStatsRequest,
  ListContainerStatsResponse,
} from '../../cri/types.ts'
import { hasErrno } from '../base/index.ts'
import { type CgroupLayout, v1Hierarchy } from '../oci/index.ts'
import { nowNs, type PodContext } from './context.ts'
import { selectContainers } from './lists.ts'
import type { ContainerRecord } from './records.ts'

export async function containerStats(
  context: PodContext,
  { containerId }: ContainerStatsRequest,
): Promise<ContainerStatsResponse> {
  const stats = await statsOf(context, context.store.container(containerId))
  return ContainerStatsResponse.fromPartial({ stats })
}

/** Of the containers that run. */
export async function listContainerStats(
  context: PodContext,
  { filter }: ListContainerStatsRequest,
): Promise<ListContainerStatsResponse> {
  const running = selectContainers(context.store.containers(), filter).filter(
    ({ startedAtNs, exit }) => startedAtNs !== undefined && !exit,
  )
  const stats = await Promise.all(running.map((record) => statsOf(context, record)))
  return ListContainerStatsResponse.fromPartial({ stats })
}

async function statsOf(context: PodContext, record: ContainerRecord): Promise<ContainerStats> {
  const { cgroupPath } = context.store.sandbox(record.sandboxId)
  const [usage, written, filesystem] = await Promise.all([
    cgroupUsage(context.cgroupLayout, `${cgroupPath}/${record.id}`),
    context.images.snapshots.usage(record.id),
    context.images.filesystem(),
  ])
  const timestamp = nowNs(context.clock)
  const { id, config } = record
  return ContainerStats.fromPartial({
    attributes: {
      id,
      ...(config.metadata ? { metadata: config.metadata } : {}),
      labels: config.labels,
      annotations: config.annotations,
    },
    ...(usage && {
      cpu: { timestamp, usageCoreNanoSeconds: { value: usage.cpuNs } },
      memory: {
        timestamp,
        usageBytes: { value: usage.memoryBytes },
        workingSetBytes: { value: usage.workingSetBytes },
        rssBytes: { value: usage.rssBytes },
      },
    }),
    writableLayer: {
      timestamp,
      fsId: { mountpoint: filesystem.mountpoint },
      usedBytes: { value: BigInt(written.bytes) },
      inodesUsed: { value: BigInt(written.inodes) },
    },
  })
}

interface Usage {
  cpuNs: bigint
  memoryBytes: bigint
  /** What could not be dropped under pressure at once: usage without the inactive part of the page cache. */
  workingSetBytes: bigint
  rssBytes: bigint
}

/** Undefined once the cgroup is gone. */
async function cgroupUsage(layout: CgroupLayout, path: string): Promise<Usage | undefined> {
  try {
    return await (v1Hierarchy(layout, 'memory') ? v1Usage(layout, path) : v2Usage(layout, path))
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return undefined
    throw error
  }
}

async function v1Usage(layout: CgroupLayout, path: string): Promise<Usage> {
  const directory = (controller: string) => join(v1Hierarchy(layout, controller)?.mountPoint ?? '', path)
  const [cpu, memory, stat] = await Promise.all([
    readFile(join(directory('cpuacct'), 'cpuacct.usage'), 'utf8'),
    readFile(join(directory('memory'), 'memory.usage_in_bytes'), 'utf8'),
    readFile(join(directory('memory'), 'memory.stat'), 'utf8'),
  ])
  return usage(BigInt(cpu), BigInt(memory), field(stat, 'total_inactive_file'), field(stat, 'total_rss'))
}

async function v2Usage(layout: CgroupLayout, path: string): Promise<Usage> {
  const directory = join(layout.v2?.mountPoint ?? '', path)
  const [cpu, memory, stat] = await Promise.all([
    readFile(join(directory, 'cpu.stat'), 'utf8'),
    readFile(join(directory, 'memory.current'), 'utf8'),
    readFile(join(directory, 'memory.stat'), 'utf8'),
  ])
  return usage(
    field(cpu, 'usage_usec') * 1000n,
    BigInt(memory),
    field(stat, 'inactive_file'),
    field(stat, 'anon'),
  )
}

function usage(cpuNs: bigint, memoryBytes: bigint, inactiveBytes: bigint, rssBytes: bigint): Usage {
  const workingSetBytes = memoryBytes > inactiveBytes ? memoryBytes - inactiveBytes : 0n
  return { cpuNs, memoryBytes, workingSetBytes, rssBytes }
}

function field(text: string, name: string): bigint {
  return BigInt(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}
