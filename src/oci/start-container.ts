import { hasErrno, type KeelsonError } from '../base/index.ts'
import { startProgram } from '../kernel/index.ts'
import type { RuntimeContext } from './context.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { nextStatus } from './state/lifecycle.ts'
import { observe, recordOf } from './state/observe.ts'
import { markStarted, recordFiles } from './state/record.ts'

/**
 * Lets the first process run the user's program. It answers on the connection when it cannot, and the end of the
 * connection says that it did. Whoever accepts there is that process, so its identity need not be looked up before.
 */
export async function startContainer(context: RuntimeContext, id: string, directory: string): Promise<void> {
  const record = recordOf(directory, id)
  if (record.status !== 'created') refuse(id, directory)
  const { type, payload } = await startProgram(directory, recordFiles.startSocket).catch((error: unknown) => {
    if (hasErrno(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT')) return refuse(id, directory)
    throw error
  })
  if (type === frameType.failure) throw startFailure(payload, id)
  markStarted(directory, BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n)
}

/** What the first process answered instead of running the program. */
export function startFailure(answer: Buffer, id: string): KeelsonError {
  return failureError(answer, undefined, 'start', id)
}

/** Says what the container is by now instead of waiting for its start. */
function refuse(id: string, directory: string): never {
  nextStatus(observe(directory, id).status, 'start', id)
  throw lostError('start', id)
}
