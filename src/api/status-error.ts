/** A failed request's Status as an error of ours, and the one table of reasons behind it. */
import { type ErrorCode, KeelsonError } from '../base/index.ts'
import type { Status } from './types/index.ts'

const codeByReason: Record<string, ErrorCode> = {
  NotFound: 'NOT_FOUND',
  AlreadyExists: 'ALREADY_EXISTS',
  Conflict: 'CONFLICT',
  Gone: 'EXPIRED',
  Expired: 'EXPIRED',
  Unauthorized: 'UNAUTHENTICATED',
  Forbidden: 'PERMISSION_DENIED',
  Invalid: 'INVALID_ARGUMENT',
  BadRequest: 'INVALID_ARGUMENT',
  MethodNotAllowed: 'UNIMPLEMENTED',
  TooManyRequests: 'RESOURCE_EXHAUSTED',
  RequestEntityTooLarge: 'RESOURCE_EXHAUSTED',
  ServiceUnavailable: 'UNAVAILABLE',
  Timeout: 'DEADLINE_EXCEEDED',
  ServerTimeout: 'UNAVAILABLE',
  InternalError: 'INTERNAL',
}

const codeByHttpStatus: Record<number, ErrorCode> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  406: 'INVALID_ARGUMENT',
  408: 'DEADLINE_EXCEEDED',
  409: 'CONFLICT',
  410: 'EXPIRED',
  413: 'RESOURCE_EXHAUSTED',
  415: 'INVALID_ARGUMENT',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** The reason decides, the HTTP status where it is absent or unknown. The Status itself becomes the cause. */
export function errorOfStatus(
  status: Partial<Status>,
  httpStatus: number,
  details: { op: string; id?: string },
) {
  const code =
    codeByReason[status.reason ?? ''] ?? codeByHttpStatus[status.code ?? httpStatus] ?? ('INTERNAL' as const)
  const message = status.message || `the server answered ${httpStatus}`
  return new KeelsonError(code, message, { ...details, cause: status })
}

/** The Status that the server gave, when this error came from one. */
export function statusOfError(error: unknown): Partial<Status> | undefined {
  if (!(error instanceof KeelsonError)) return undefined
  const { cause } = error
  return typeof cause === 'object' && cause !== null && 'kind' in cause && cause.kind === 'Status'
    ? (cause as Partial<Status>)
    : undefined
}
