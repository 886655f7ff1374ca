import { hasCode, isAbort } from '../base/index.ts'

/** The bytes that came are right as far as anybody knows: the connection, the caller or the time came to an end. */
export function isInterruption(error: unknown): boolean {
  const codes = ['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED'] as const
  const isLate = error instanceof Error && error.name === 'TimeoutError'
  return isAbort(error) || isLate || codes.some((code) => hasCode(error, code))
}
