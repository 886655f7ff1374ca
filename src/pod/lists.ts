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
import { nowNs, type PodContext } from './context.ts'
import { containerInfo, sandboxInfo } from './inspect.ts'
import type { ContainerRecord } from './records.ts'
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
  context: PodContext,
  { podSandboxId, verbose }: PodSandboxStatusRequest,
): Promise<PodSandboxStatusResponse> {
  const { store, clock } = context
  const record = store.sandbox(podSandboxId)
  return PodSandboxStatusResponse.fromPartial({
    status: sandboxStatus(record),
    info: verbose ? { info: await sandboxInfo(context, record) } : {},
    containersStatuses: store.containersOf(record.id).map(containerStatus),
    timestamp: nowNs(clock),
  })
}

export async function containerStatusOf(
  context: PodContext,
  { containerId, verbose }: ContainerStatusRequest,
): Promise<ContainerStatusResponse> {
  const record = context.store.container(containerId)
  return ContainerStatusResponse.fromPartial({
    status: containerStatus(record),
    info: verbose ? { info: await containerInfo(context, record) } : {},
  })
}

export function hasLabels(
  labels: Record<string, string>,
  wanted: Record<string, string> | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([name, value]) => labels[name] === value)
}
