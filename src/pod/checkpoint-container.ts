import type { Call } from '../../cri/service.ts'
import { type CheckpointContainerRequest, CheckpointContainerResponse } from '../../cri/types.ts'
import { capture, whilePaused } from './checkpoint/capture.ts'
import { findProgram, requireCheckpointable } from './checkpoint/possible.ts'
import { bounded, checkLocation, writeInWork } from './checkpoint/work.ts'
import type { PodContext } from './context.ts'
import { runningContainer } from './running.ts'

/**
 * Writes a running container as an archive to `location`, over what is there, and it goes on. In its turn with other
 * changes of the container; a stop meanwhile is obeyed, and then there is no archive. Nothing but the archive stays.
 */
export async function checkpointContainer(
  context: PodContext,
  { containerId, location, timeout }: CheckpointContainerRequest,
  call: Call,
): Promise<CheckpointContainerResponse> {
  const { id } = context.store.container(containerId)
  await checkLocation(location, 'location')
  using bound = bounded(context, call.signal, timeout)
  await context.turns.take(id, () => write(context, id, location, bound.signal))
  return CheckpointContainerResponse.create()
}

async function write(context: PodContext, id: string, location: string, signal: AbortSignal): Promise<void> {
  const { record, container } = await runningContainer(context, id)
  requireCheckpointable(context, record)
  const criu = findProgram(context)
  const fill = (work: string) =>
    whilePaused([container], () => capture(context, record, container, { criu, work, signal }))
  await writeInWork(context, [record], location, fill, signal)
}
