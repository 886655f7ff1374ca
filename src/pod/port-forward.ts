import type { PortForwardRequest, PortForwardResponse } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { PodContext } from './context.ts'

/** Dialling inside the pod's network namespace needs a socket made there. */
export async function portForward(
  { store }: PodContext,
  { podSandboxId }: PortForwardRequest,
): Promise<PortForwardResponse> {
  const { id } = store.sandbox(podSandboxId)
  throw new KeelsonError('UNIMPLEMENTED', 'port forwarding into a pod is not supported yet', { id })
}
