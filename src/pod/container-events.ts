import { ContainerEventResponse, ContainerEventType } from '../../cri/types.ts'
import type { Cause, Change, PodStore } from './store.ts'
import { containerStatus, sandboxStatus } from './views.ts'

const types: Record<Cause, ContainerEventType> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
}

/** A change of the store as CRI tells it: a sandbox is told of under its own id. Pure but for reading the store. */
export function containerEvent(store: PodStore, change: Change): ContainerEventResponse {
  const { sandbox, container, cause, atNs } = change
  return ContainerEventResponse.fromPartial({
    containerId: container?.id ?? sandbox.id,
    containerEventType: types[cause],
    createdAt: atNs,
    podSandboxStatus: sandboxStatus(sandbox),
    containersStatuses: store.containersOf(sandbox.id).map(containerStatus),
  })
}
