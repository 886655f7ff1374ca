import type { RuntimeContext } from './context.ts'
import { failureError, lostError } from './failure.ts'
import { encodeFrame, FrameReader, frameType } from './frames.ts'
import { connectIn } from './monitor-client.ts'
import { nextStatus } from './state/lifecycle.ts'
import type { Observed } from './state/observe.ts'
import { recordFiles, writeRecord } from './state/record.ts'

/**
 * Lets the first process run the user's program. It answers on the connection when it cannot, and the end of the
 * connection says that it did.
 */
export async function startContainer(
  context: RuntimeContext,
  { record, status }: Observed,
  directory: string,
): Promise<void> {
  const running = nextStatus(status, 'start', record.id)
  const socket = await connectIn(directory, recordFiles.startSocket)
  if (!socket) throw lostError('start', record.id)
  const reader = new FrameReader()
  const failure = await new Promise<Buffer | undefined>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      for (const { type, payload } of reader.push(chunk)) if (type === frameType.failure) resolve(payload)
    })
    socket.on('close', () => resolve(undefined))
    socket.on('end', () => resolve(undefined))
    socket.write(encodeFrame(frameType.start))
  })
  socket.destroy()
  if (failure) throw failureError(failure, undefined, 'start', record.id)
  const startedAtNs = String(BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n)
  writeRecord(directory, { ...record, status: running, startedAtNs })
}
