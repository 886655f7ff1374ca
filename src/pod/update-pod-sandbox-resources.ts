import {
  LinuxPodSandboxConfig,
  type UpdatePodSandboxResourcesRequest,
  UpdatePodSandboxResourcesResponse,
} from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { PodContext } from './context.ts'
import { checkedResources } from './spec/resources.ts'

/**
 * Keeps what the pod's containers may take together. The caller has changed the pod's cgroup before it calls; it is
 * his, and is left as it is.
 */
export async function updatePodSandboxResources(
  context: PodContext,
  { podSandboxId, overhead, resources }: UpdatePodSandboxResourcesRequest,
): Promise<UpdatePodSandboxResourcesResponse> {
  const { id, stoppedAtNs } = context.store.sandbox(podSandboxId)
  if (stoppedAtNs !== undefined)
    throw new KeelsonError('FAILED_PRECONDITION', `pod sandbox ${id} is not ready`, { id })
  if (overhead) checkedResources(overhead)
  if (resources) checkedResources(resources)
  await context.store.changeSandbox(id, (record) => {
    const before = record.config.linux ?? LinuxPodSandboxConfig.create()
    const linux = { ...before, ...(overhead && { overhead }), ...(resources && { resources }) }
    return { ...record, config: { ...record.config, linux } }
  })
  return UpdatePodSandboxResourcesResponse.create()
}
