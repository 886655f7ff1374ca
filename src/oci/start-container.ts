import { closeSync, openSync } from 'node:fs'
import { Cleanup, hasErrno, type KeelsonError } from '../base/index.ts'
import { startProgram } from '../kernel/index.ts'
import type { RuntimeContext } from './context.ts'
import { endProcesses } from './delete-container.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { runRecorded } from './hooks/recorded.ts'
import { explainProgram } from './program-error.ts'
import { ReadyForwarder } from './ready-forwarder.ts'
import type { StartOptions } from './runtime.ts'
import { nextStatus } from './state/lifecycle.ts'
import { factsOf, observe } from './state/observe.ts'
import { prepareStarted, readRecord, readRecordedPlan, recordFiles } from './state/record.ts'

/**
 * Lets the first process run the user's program. It answers on the connection when it cannot, and the end of the
 * connection says that it did. Whoever accepts there is that process, so its identity need not be looked up before.
 * Under the lock; whoever asked for news of readiness waits for it afterwards.
 */
export async function startContainer(
  context: RuntimeContext,
  id: string,
  directory: string,
  { notify }: StartOptions,
): Promise<ReadyForwarder | undefined> {
  const { record } = factsOf(directory, id)
  if (record.status !== 'created') refuse(id, directory)
  // Before the start: the program may be ready at once.
  await using undo = new Cleanup()
  const ready =
    record.notify && notify ? await undo.use(ReadyForwarder.open(directory, id, notify)) : undefined
  const started = prepareStarted(directory, BigInt(Math.round(context.clock.nowMs() * 1000)) * 1000n)
  const { type, payload } = await startProgram(directory, recordFiles.startSocket).catch((error: unknown) => {
    if (hasErrno(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT')) return refuse(id, directory)
    throw error
  })
  if (type === frameType.failure) throw startFailure(payload, directory, id)
  started.commit()
  undo.keep()
  return ready
}

/** keelson-init kills the container when one fails; here whatever else there is of it follows. */
export async function runPoststart(
  context: RuntimeContext,
  id: string,
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  const plan = readRecordedPlan(directory, 'poststart')
  if (!plan) return
  const fd = openSync(directory, 'r')
  try {
    await runRecorded(plan, { op: 'start', id, directory: fd, signal })
  } catch (error) {
    if (readRecord(directory)) await endProcesses(context, observe(directory, id)) // unless it is deleted by now
    throw error
  } finally {
    closeSync(fd)
  }
}

/** What the first process answered instead of running the program. */
export function startFailure(answer: Buffer, directory: string, id: string): KeelsonError {
  const error = failureError(answer, undefined, 'start', id)
  return explainProgram(error, readRecord(directory)?.rootfs)
}

/** Says what the container is by now instead of waiting for its start. */
function refuse(id: string, directory: string): never {
  nextStatus(observe(directory, id).status, 'start', id)
  throw lostError('start', id)
}
