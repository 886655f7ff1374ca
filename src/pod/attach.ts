import type { ClientStreams } from '../../cri/service.ts'
import { type AttachRequest, AttachResponse } from '../../cri/types.ts'
import type { PodContext } from './context.ts'
import { runningContainer } from './running.ts'
import { connectStreams, streamingOf } from './streams.ts'

/**
 * A URL at which one client may join the streams of the container's first process. Whether that has a terminal
 * is the container's affair: `tty` only says that the client will tell sizes.
 */
export async function attach(context: PodContext, request: AttachRequest): Promise<AttachResponse> {
  const { record } = await runningContainer(context, request.containerId)
  const wanted = { ...request, stderr: request.stderr && !record.config.tty }
  const url = streamingOf(context).attach(wanted, (streams) => run(context, record.id, streams))
  return AttachResponse.fromPartial({ url })
}

/** Ends with the container's output or when the client goes; the exit code is told by the container's status. */
async function run(
  context: PodContext,
  containerId: string,
  streams: ClientStreams,
): Promise<{ exitCode: number }> {
  const { record, container } = await runningContainer(context, containerId)
  await using attachment = await container.attach({ signal: streams.signal })
  if (record.config.tty) streams.onResize((size) => void container.resize(size).catch(() => undefined))
  const gone = new Promise<void>((resolve) => {
    if (streams.signal.aborted) resolve()
    streams.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await Promise.race([connectStreams(attachment, streams), gone])
  return { exitCode: 0 }
}
