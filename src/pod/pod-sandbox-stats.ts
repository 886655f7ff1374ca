import {
  type DeepPartial,
  type LinuxPodSandboxStats,
  type ListPodSandboxStatsRequest,
  ListPodSandboxStatsResponse,
  type NetworkInterfaceUsage,
  type NetworkUsage,
  PodSandboxStats,
  type PodSandboxStatsRequest,
  PodSandboxStatsResponse,
} from '../../cri/types.ts'
import { hasCode } from '../base/index.ts'
import { type LinkStatistics, linkStatistics } from '../kernel/index.ts'
import { processesAt } from '../oci/index.ts'
import { isRunning, statsOf } from './container-stats.ts'
import { nowNs, type PodContext } from './context.ts'
import { hasLabels } from './lists.ts'
import type { SandboxRecord } from './records.ts'
import { podNamespaces } from './spec/namespaces.ts'
import { usageOf } from './usage.ts'

/** Of a sandbox that is no longer ready only who it was. */
export async function podSandboxStats(
  context: PodContext,
  { podSandboxId }: PodSandboxStatsRequest,
): Promise<PodSandboxStatsResponse> {
  const stats = await statsOfSandbox(context, context.store.sandbox(podSandboxId))
  return PodSandboxStatsResponse.fromPartial({ stats })
}

/** Of the sandboxes that are ready. */
export async function listPodSandboxStats(
  context: PodContext,
  { filter }: ListPodSandboxStatsRequest,
): Promise<ListPodSandboxStatsResponse> {
  const { store } = context
  const ready = store
    .sandboxes()
    .filter(
      ({ id, stoppedAtNs, config }) =>
        stoppedAtNs === undefined &&
        id.startsWith(filter?.id ?? '') &&
        hasLabels(config.labels, filter?.labelSelector),
    )
  const stats = await Promise.all(ready.map((record) => statsOfSandbox(context, record)))
  return ListPodSandboxStatsResponse.fromPartial({ stats })
}

async function statsOfSandbox(context: PodContext, record: SandboxRecord): Promise<PodSandboxStats> {
  const { id, config } = record
  const linux = record.stoppedAtNs === undefined ? await linuxStats(context, record) : undefined
  return PodSandboxStats.fromPartial({
    attributes: {
      id,
      ...(config.metadata ? { metadata: config.metadata } : {}),
      labels: config.labels,
      annotations: config.annotations,
    },
    ...(linux && { linux }),
  })
}

async function linuxStats(
  context: PodContext,
  record: SandboxRecord,
): Promise<DeepPartial<LinuxPodSandboxStats>> {
  const { store, cgroupLayout, clock } = context
  const { id, cgroupPath, createdAtNs: beganAtNs } = record
  const [usage, links, pids, containers] = await Promise.all([
    usageOf(context, { id, cgroupPath, beganAtNs }),
    podLinks(context, record),
    processesAt(cgroupLayout, cgroupPath),
    statsOf(context, store.containersOf(id).filter(isRunning)),
  ])
  const timestamp = nowNs(clock)
  const { cpu, memory, io } = usage ?? {}
  return {
    ...(cpu && { cpu }),
    ...(memory && { memory }),
    ...(io && { io }),
    ...(links && { network: networkUsage(links, timestamp) }),
    process: { timestamp, processCount: { value: BigInt(pids.length) } },
    containers,
  }
}

/** Undefined for a pod on the host's network: that traffic is not its own. */
export async function podLinks(
  { pins }: Pick<PodContext, 'pins'>,
  { id, config }: SandboxRecord,
): Promise<LinkStatistics[] | undefined> {
  if (podNamespaces(config).network === 'host') return undefined
  try {
    using namespace = await pins.open(id, 'network')
    return (await linkStatistics(namespace.fd)).filter(({ isLoopback }) => !isLoopback)
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined // it is being stopped
    throw error
  }
}

/** The default interface is eth0, as CNI names it, else the first. Pure. */
export function networkUsage(links: readonly LinkStatistics[], timestamp: bigint): DeepPartial<NetworkUsage> {
  const main = links.find(({ name }) => name === 'eth0') ?? links[0]
  return {
    timestamp,
    ...(main && { defaultInterface: interfaceUsage(main) }),
    interfaces: links.filter((link) => link !== main).map(interfaceUsage),
  }
}

function interfaceUsage({ name, receive, transmit }: LinkStatistics): DeepPartial<NetworkInterfaceUsage> {
  return {
    name,
    rxBytes: { value: receive.bytes },
    rxErrors: { value: receive.errors },
    txBytes: { value: transmit.bytes },
    txErrors: { value: transmit.errors },
  }
}
