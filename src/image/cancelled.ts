import { isAbort, KeelsonError } from '../base/index.ts'

/** Why work ended early, in our words: whoever gave it up may have said so in theirs. */
export function cancelled(reason: unknown): KeelsonError {
  if (reason instanceof KeelsonError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new KeelsonError('DEADLINE_EXCEEDED', 'the time for it ran out', { cause: reason })
  return new KeelsonError('CANCELLED', isAbort(reason) ? 'cancelled' : `cancelled: ${String(reason)}`, {
    cause: reason,
  })
}
