import { asKeelsonError, type KeelsonError } from '../../base/index.ts'
import { startInit } from '../../kernel/index.ts'
import { compileRecordedHooks } from '../compile/hooks.ts'
import type { CompileRequest } from '../compile/request.ts'
import type { RuntimeContext } from '../context.ts'
import { failureError, hookError, lostError } from '../failure.ts'
import { frameType } from '../frames.ts'
import { closeInit } from '../init-channel.ts'
import { encodePlan } from '../plan/index.ts'
import { recordFiles } from '../state/record.ts'

/** The plans of the hooks that run after create, as files of the state directory. */
export function recordedHooks(
  request: Pick<CompileRequest, 'id' | 'spec' | 'bundle' | 'fileLimit'>,
): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {}
  for (const stage of ['poststart', 'poststop'] as const) {
    const plan = compileRecordedHooks(stage, request, request.fileLimit)
    if (plan) files[recordFiles[stage]] = encodePlan(plan)
  }
  return files
}

/** What fails is a warning (runtime.md, "Lifecycle", step 13). `plan`: undefined where there are no such hooks. */
export async function runPoststop(
  { log }: RuntimeContext,
  id: string,
  plan: Uint8Array | string | undefined,
): Promise<void> {
  if (plan === undefined) return
  try {
    const failed = await runRecorded(plan as Uint8Array, { op: 'delete', id })
    for (const { message } of failed) log.warn(message, { id })
  } catch (error) {
    log.warn(asKeelsonError(error).message, { id })
  }
}

/**
 * Carries a recorded plan out; `directory` is the open state directory, for a plan that needs it. Fails with the first
 * hook that fails, except where the plan goes on after that: then with none, and all of them are returned.
 */
export async function runRecorded(
  plan: Uint8Array,
  {
    op,
    id,
    directory,
    signal,
  }: { op: string; id: string; directory?: number; signal?: AbortSignal | undefined },
): Promise<KeelsonError[]> {
  const inherited = directory === undefined ? [] : [directory]
  signal?.throwIfAborted()
  const started = await startInit({ plan, inherited, killedBy: signal })
  await closeInit(started)
  signal?.throwIfAborted()
  if (started.type === frameType.failure) throw failureError(started.payload, undefined, op, id)
  if (started.type !== frameType.done) throw lostError(op, id)
  return started.warnings.map((payload) => hookError(payload, op, id))
}
