import {
  type ContainerStatusRequest,
  ContainerStatusResponse,
  type ListContainersRequest,
  ListContainersResponse,
  type ListPodSandboxRequest,
  ListPodSandboxResponse,
  type PodSandboxStatusRequest,
  PodSandboxStatusResponse,
} from '../../cri/types.ts'
import { asKeelsonError } from '../base/index.ts'
import { nowNs, type PodContext } from './context.ts'
import type { ContainerRecord, SandboxRecord } from './records.ts'
import {
  containerItem,
  containerState,
  containerStatus,
  sandboxItem,
  sandboxState,
  sandboxStatus,
} from './views.ts'

/** Every condition of a filter must hold; an id may be a prefix. */
export function listPodSandbox(
  { store }: PodContext,
  { filter }: ListPodSandboxRequest,
): ListPodSandboxResponse {
  const found = store
    .sandboxes()
    .filter(
      (record) =>
        record.id.startsWith(filter?.id ?? '') &&
        (filter?.state === undefined || filter.state.state === sandboxState(record)) &&
        hasLabels(record.config.labels, filter?.labelSelector),
    )
  return ListPodSandboxResponse.fromPartial({ items: found.map(sandboxItem) })
}

export function listContainers(
  { store }: PodContext,
  { filter }: ListContainersRequest,
): ListContainersResponse {
  const found = selectContainers(store.containers(), filter).filter(
    (record) => filter?.state === undefined || filter.state.state === containerState(record),
  )
  return ListContainersResponse.fromPartial({ containers: found.map(containerItem) })
}

interface Selection {
  id: string
  podSandboxId: string
  labelSelector: Record<string, string>
}

export function selectContainers(
  records: readonly ContainerRecord[],
  filter: Selection | undefined,
): ContainerRecord[] {
  return records.filter(
    (record) =>
      record.id.startsWith(filter?.id ?? '') &&
      record.sandboxId.startsWith(filter?.podSandboxId ?? '') &&
      hasLabels(record.config.labels, filter?.labelSelector),
  )
}

export async function podSandboxStatus(
  { store, clock, network }: PodContext,
  { podSandboxId, verbose }: PodSandboxStatusRequest,
): Promise<PodSandboxStatusResponse> {
  const record = store.sandbox(podSandboxId)
  return PodSandboxStatusResponse.fromPartial({
    status: sandboxStatus(record),
    info: verbose ? { info: await sandboxInfo(network, record) } : {},
    containersStatuses: store.containersOf(record.id).map(containerStatus),
    timestamp: nowNs(clock),
  })
}

/** With whether the network is still as it was made, which may mean to ask CNI plugins. */
async function sandboxInfo(
  network: PodContext['network'],
  { id, cgroupPath, addresses, stoppedAtNs, config: { linux } }: SandboxRecord,
): Promise<string> {
  const hasNetwork = addresses.length > 0 && stoppedAtNs === undefined
  const problem = hasNetwork && (await network.check(id).then(() => undefined, messageOf))
  const { overhead, resources } = linux ?? {}
  const info = {
    cgroupPath,
    ...(hasNetwork ? { network: { ok: problem === undefined, problem } } : {}),
    overhead,
    resources,
  }
  return JSON.stringify(info, (_name, value) => (typeof value === 'bigint' ? String(value) : value))
}

export async function containerStatusOf(
  { store, runtime }: PodContext,
  { containerId, verbose }: ContainerStatusRequest,
): Promise<ContainerStatusResponse> {
  const record = store.container(containerId)
  return ContainerStatusResponse.fromPartial({
    status: containerStatus(record),
    info: verbose ? { info: await verboseInfo(runtime, record) } : {},
  })
}

async function verboseInfo(runtime: PodContext['runtime'], { id, sandboxId }: ContainerRecord) {
  const state = await (await runtime.find(id))?.state()
  return JSON.stringify({ sandboxID: sandboxId, pid: state?.pid ?? 0 })
}

export function hasLabels(
  labels: Record<string, string>,
  wanted: Record<string, string> | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([name, value]) => labels[name] === value)
}

function messageOf(error: unknown): string {
  return asKeelsonError(error).message
}
