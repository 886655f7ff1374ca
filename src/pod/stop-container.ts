import type { Call } from '../../cri/service.ts'
import { type StopContainerRequest, StopContainerResponse } from '../../cri/types.ts'
import type { PodContext } from './context.ts'

/** Returns after the exit is on record. Timeout 0 kills at once. What is unknown or does not run is a success. */
export async function stopContainer(
  context: PodContext,
  { containerId, timeout }: StopContainerRequest,
  { signal }: Call,
): Promise<StopContainerResponse> {
  const found = context.store.findContainer(containerId)
  if (!found) return StopContainerResponse.create()
  await context.joined.starts.settled(found.id)
  await context.lives.stop(found, Number(timeout) * 1000, signal)
  return StopContainerResponse.create()
}
