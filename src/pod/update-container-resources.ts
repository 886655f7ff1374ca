import {
  type LinuxContainerResources,
  type UpdateContainerResourcesRequest,
  UpdateContainerResourcesResponse,
} from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { PodContext } from './context.ts'
import type { ContainerRecord } from './records.ts'
import { mergeResources, ociResources } from './spec/resources.ts'

/** Changes the limits of a container that runs, or those a created one will start with. */
export async function updateContainerResources(
  { store, runtime }: PodContext,
  { containerId, linux }: UpdateContainerResourcesRequest,
): Promise<UpdateContainerResourcesResponse> {
  const record = store.container(containerId)
  if (record.exit)
    throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} has exited`, { id: record.id })
  if (!linux) return UpdateContainerResourcesResponse.create()
  if (record.startedAtNs !== undefined) await (await runtime.get(record.id)).update(ociResources(linux))
  const last = store.container(record.id)
  await store.putContainer(withResources(last, mergeResources(last.config.linux?.resources, linux)))
  return UpdateContainerResourcesResponse.create()
}

function withResources(record: ContainerRecord, resources: LinuxContainerResources): ContainerRecord {
  const linux = { securityContext: undefined, ...record.config.linux, resources }
  return { ...record, config: { ...record.config, linux } }
}
