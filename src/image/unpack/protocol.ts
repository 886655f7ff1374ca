import { asKeelsonError, KeelsonError, SyscallError } from '../../base/index.ts'
import type { Unpacked } from './layer.ts'
import type { UnpackLimits } from './limits.ts'

/**
 * Messages between the store and its unpack threads. A thread has one job at a time; messages carry its number, as
 * one for a finished job may still be on its way when the thread has the next.
 */
export type ToWorker =
  /** `fd` is open for reading; descriptors belong to the process, so a thread may use what another opened. */
  | { kind: 'layer' | 'archive'; job: number; fd: number; directory: string; limits: UnpackLimits }
  /** The file holds this many bytes by now; `complete` when no more will come. */
  | { kind: 'grown'; job: number; bytes: number; complete: boolean }
  | { kind: 'abort'; job: number }

export type FromWorker = { kind: 'done'; unpacked: Unpacked } | { kind: 'failed'; error: PlainError }

/** A KeelsonError as data: classes do not survive the way between threads. */
export interface PlainError {
  code: KeelsonError['code']
  message: string
  hint?: string
  call?: string
  errno?: string
}

export function toPlain(error: unknown): PlainError {
  const known = asKeelsonError(error)
  return {
    code: known.code,
    message: known.message,
    ...(known.hint !== undefined && { hint: known.hint }),
    ...(known instanceof SyscallError && { call: known.call, errno: known.errno }),
  }
}

export function fromPlain({ code, message, hint, call, errno }: PlainError): KeelsonError {
  const details = hint === undefined ? {} : { hint }
  if (call !== undefined && errno !== undefined) return new SyscallError({ ...details, call, errno }, message)
  return new KeelsonError(code, message, details)
}
