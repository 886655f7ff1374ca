import { type ReopenContainerLogRequest, ReopenContainerLogResponse } from '../../cri/types.ts'
import { KeelsonError } from '../base/index.ts'
import type { PodContext } from './context.ts'
import { runningContainer } from './running.ts'

/** After rotation: answers once new output goes to the new file. */
export async function reopenContainerLog(
  context: PodContext,
  { containerId }: ReopenContainerLogRequest,
): Promise<ReopenContainerLogResponse> {
  const { record, container } = await runningContainer(context, containerId)
  if (record.logPath === '')
    throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} has no log`, { id: record.id })
  await container.reopenLog()
  return ReopenContainerLogResponse.create()
}
