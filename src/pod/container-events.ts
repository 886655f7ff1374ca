import { ContainerEventResponse, ContainerEventType } from '../../cri/types.ts'
import type { ContainerRecord } from './records.ts'
import type { Cause, Change } from './store.ts'
import { containerStatus, sandboxStatus } from './views.ts'

/** A change of the store and what containers its pod had then. */
export interface PodEvent extends Change {
  containers: readonly ContainerRecord[]
}

const types: Record<Cause, ContainerEventType> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
}

/** In CRI's words: a sandbox is told of under its own id. Made for readers only, for most events have none. */
export async function* containerEvents(
  events: AsyncIterable<PodEvent>,
): AsyncGenerator<ContainerEventResponse> {
  for await (const { sandbox, container, cause, atNs, containers } of events)
    yield ContainerEventResponse.fromPartial({
      containerId: container?.id ?? sandbox.id,
      containerEventType: types[cause],
      createdAt: atNs,
      podSandboxStatus: sandboxStatus(sandbox),
      containersStatuses: containers.map(containerStatus),
    })
}
