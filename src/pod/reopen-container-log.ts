import { type ReopenContainerLogRequest, ReopenContainerLogResponse } from '../../cri/types.ts'
import type { PodContext } from './context.ts'
import { runningContainer } from './running.ts'

/** After rotation: answers once new output goes to the new file. */
export async function reopenContainerLog(
  context: PodContext,
  { containerId }: ReopenContainerLogRequest,
): Promise<ReopenContainerLogResponse> {
  const { container } = await runningContainer(context, containerId)
  await container.reopenLog()
  return ReopenContainerLogResponse.create()
}
