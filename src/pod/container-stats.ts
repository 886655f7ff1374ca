import {
  ContainerStats,
  type ContainerStatsRequest,
  ContainerStatsResponse,
  type ListContainerStatsRequest,
  ListContainerStatsResponse,
} from '../../cri/types.ts'
import { hasCode, hasErrno } from '../base/index.ts'
import { containerCgroup } from './cgroup-place.ts'
import { nowNs, type PodContext } from './context.ts'
import { selectContainers } from './lists.ts'
import type { ContainerRecord } from './records.ts'
import { usageOf } from './usage.ts'

export async function containerStats(
  context: PodContext,
  { containerId }: ContainerStatsRequest,
): Promise<ContainerStatsResponse> {
  const [stats] = await statsOf(context, [context.store.container(containerId)])
  return ContainerStatsResponse.fromPartial({ ...(stats && { stats }) })
}

/** Of the containers that run. */
export async function listContainerStats(
  context: PodContext,
  { filter }: ListContainerStatsRequest,
): Promise<ListContainerStatsResponse> {
  const running = selectContainers(context.store.containers(), filter).filter(isRunning)
  return ListContainerStatsResponse.fromPartial({ stats: await statsOf(context, running) })
}

export function isRunning({ startedAtNs, exit }: ContainerRecord): boolean {
  return startedAtNs !== undefined && !exit
}

/** One removed meanwhile is left out. */
export async function statsOf(
  context: PodContext,
  records: readonly ContainerRecord[],
): Promise<ContainerStats[]> {
  if (records.length === 0) return []
  const { mountpoint } = await context.images.filesystem()
  const all = await Promise.all(
    records.map((record) =>
      oneOf(context, record, mountpoint).catch((error) => {
        if (context.store.findContainer(record.id)) throw error
        return undefined
      }),
    ),
  )
  return all.filter((stats) => stats !== undefined)
}

async function oneOf(
  context: PodContext,
  record: ContainerRecord,
  mountpoint: string,
): Promise<ContainerStats> {
  const { id, config } = record
  const { cgroupPath } = context.store.sandbox(record.sandboxId)
  const [usage, writableLayer] = await Promise.all([
    isRunning(record) &&
      usageOf(context, {
        id,
        cgroupPath: containerCgroup(cgroupPath, id),
        beganAtNs: record.startedAtNs ?? record.createdAtNs,
      }),
    writableLayerOf(context, id, mountpoint),
  ])
  return ContainerStats.fromPartial({
    attributes: {
      id,
      ...(config.metadata ? { metadata: config.metadata } : {}),
      labels: config.labels,
      annotations: config.annotations,
    },
    ...usage,
    ...(writableLayer && { writableLayer }),
  })
}

/** A container that writes meanwhile may take a file away under our eyes. Nothing it writes takes all others' stats. */
async function writableLayerOf({ images, clock, log }: PodContext, id: string, mountpoint: string) {
  const used = await images.snapshots.usage(id).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT') || hasCode(error, 'NOT_FOUND')) return { bytes: 0, inodes: 0 }
    log.warn('what a container has written cannot be measured', { id, error })
    return undefined
  })
  return (
    used && {
      timestamp: nowNs(clock),
      fsId: { mountpoint },
      usedBytes: { value: BigInt(used.bytes) },
      inodesUsed: { value: BigInt(used.inodes) },
    }
  )
}
