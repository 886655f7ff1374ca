import {
  type LinuxContainerResources,
  type UpdateContainerResourcesRequest,
  UpdateContainerResourcesResponse,
} from '../../cri/types.ts'
import { KeelsonError, SyscallError } from '../base/index.ts'
import type { Container } from '../oci/index.ts'
import type { PodContext } from './context.ts'
import { changeOomScores } from './oom-scores.ts'
import type { ContainerRecord } from './records.ts'
import { checkedResources, mergeResources, ociResources } from './spec/resources.ts'

/**
 * Changes the limits of a container that runs, or those a created one will start with: all that the request names, or
 * none. What holds then is on record, so that ContainerStatus tells it, also after a restart of this process. Updates
 * and the start of one container take turns; otherwise one could put an older record over another's.
 */
export async function updateContainerResources(
  context: PodContext,
  { containerId, linux }: UpdateContainerResourcesRequest,
): Promise<UpdateContainerResourcesResponse> {
  const { id } = context.store.container(containerId)
  if (linux) {
    checkedResources(linux)
    await context.turns.take(id, () => update(context, id, linux))
  }
  return UpdateContainerResourcesResponse.create()
}

async function update(context: PodContext, id: string, linux: LinuxContainerResources): Promise<void> {
  const { store, runtime } = context
  const record = store.container(id)
  if (record.exit) throw new KeelsonError('FAILED_PRECONDITION', `container ${id} has exited`, { id })
  const before = record.config.linux?.resources
  const after = mergeResources(before, linux)
  // The limits in whole and as they would be: two fields may be wrong only together.
  checkedResources(after)
  if (record.startedAtNs !== undefined) await apply(context, await runtime.get(id), linux)
  await store.changeContainer(id, (last) => withResources(last, after))
}

/** The scores first: they can be taken back, whatever the limits do after. */
async function apply(
  { host }: PodContext,
  container: Container,
  linux: LinuxContainerResources,
): Promise<void> {
  await using scores = await changeOomScores(container, Number(linux.oomScoreAdj), host)
  const resources = ociResources(linux)
  if (Object.keys(resources).length > 0) await container.update(resources).catch(asCallersFault)
  scores.keep()
}

/** The files are right and we write what was asked for: EINVAL speaks of the value. */
function asCallersFault(error: unknown): never {
  if (!(error instanceof SyscallError) || error.errno !== 'EINVAL') throw error
  const { message, op, path } = error
  throw new KeelsonError('INVALID_ARGUMENT', message, {
    cause: error,
    ...(op === undefined ? {} : { op }),
    ...(path === undefined ? {} : { path }),
  })
}

function withResources(record: ContainerRecord, resources: LinuxContainerResources): ContainerRecord {
  const linux = { securityContext: undefined, ...record.config.linux, resources }
  return { ...record, config: { ...record.config, linux } }
}
