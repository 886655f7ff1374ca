import { type UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse } from '../../cri/types.ts'
import { KeelsonError, parseCidr } from '../base/index.ts'
import type { PodContext } from './context.ts'

/**
 * A kubelet tells the node's pod range here, one block of each family with a comma between. It is handed to networks
 * that take their ranges from elsewhere (CNI plugins with `ipRanges`); the built-in network keeps the one of keelson's
 * configuration, of which it holds leases.
 */
export function updateRuntimeConfig(
  { network }: Pick<PodContext, 'network'>,
  { runtimeConfig }: UpdateRuntimeConfigRequest,
): UpdateRuntimeConfigResponse {
  const podCidr = runtimeConfig?.networkConfig?.podCidr ?? ''
  const blocks = podCidr === '' ? [] : podCidr.split(',').map((block) => block.trim())
  const families = new Set(blocks.map((block) => parseCidr(block).family))
  if (families.size < blocks.length)
    throw new KeelsonError('INVALID_ARGUMENT', 'pod_cidr has more than one address block of a family', {
      hint: 'write 10.244.1.0/24 or 10.244.1.0/24,fd00:1::/64',
    })
  network.setPodCidrs(blocks)
  return UpdateRuntimeConfigResponse.create()
}
