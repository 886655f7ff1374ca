/**
 * The one error hierarchy. Every failure a caller may meet is a `KeelsonError` with a stable `code`; a failed
 * system call is a `SyscallError`, which adds the call, the errno name and the path. Each border translates the
 * code once (gRPC status in cri/status.ts, HTTP Status in control/apiserver, exit code in cli), and nobody
 * parses a message.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT' // the caller's input is wrong, whatever the state of the system
  | 'FAILED_PRECONDITION' // right input, wrong state (start of a running container)
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'CONFLICT' // somebody else changed it first (compare-and-swap, resourceVersion)
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'EXPIRED' // what was asked for is no longer kept (compacted revision, old continue token)
  | 'RESOURCE_EXHAUSTED' // disk, memory, quota, message size
  | 'UNAVAILABLE' // a peer does not answer; trying again may help
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'DATA_LOSS' // stored or received bytes are not what they claim to be
  | 'UNIMPLEMENTED'
  | 'INTERNAL'

export interface ErrorDetails {
  /** What was being done, in the caller's words: `start`, `pull`. */
  op?: string
  /** The object it was done to: a container id, an image reference. */
  id?: string
  /** The file or JSON path that is wrong. */
  path?: string
  /** One sentence that tells the reader what to do. */
  hint?: string
  cause?: unknown
}

export class KeelsonError extends Error {
  readonly code: ErrorCode
  readonly op: string | undefined
  readonly id: string | undefined
  readonly path: string | undefined
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'KeelsonError'
    this.code = code
    this.op = details.op
    this.id = details.id
    this.path = details.path
    this.hint = details.hint
  }

  toJSON(): Record<string, unknown> {
    const { code, message, op, id, path, hint } = this
    return { code, message, op, id, path, hint }
  }
}

export interface SyscallDetails extends ErrorDetails {
  /** Name of the system call: `mount`, `clone3`. */
  call: string
  /** errno name: `ENOENT`. */
  errno: string
}

/** A system call that failed. errno decides the code, see `codeOfErrno`. */
export class SyscallError extends KeelsonError {
  readonly call: string
  readonly errno: string

  constructor(details: SyscallDetails, message = syscallMessage(details)) {
    super(codeOfErrno(details.errno), message, details)
    this.name = 'SyscallError'
    this.call = details.call
    this.errno = details.errno
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), call: this.call, errno: this.errno }
  }
}

function syscallMessage({ call, errno, path, op }: SyscallDetails): string {
  const target = path === undefined ? '' : ` ${path}`
  return `${op === undefined ? '' : `${op}: `}${call}${target}: ${errno}`
}

const codeByErrno: Record<string, ErrorCode> = {
  ENOENT: 'NOT_FOUND',
  ESRCH: 'NOT_FOUND',
  EEXIST: 'ALREADY_EXISTS',
  ENAMETOOLONG: 'INVALID_ARGUMENT',
  ELOOP: 'INVALID_ARGUMENT',
  ERANGE: 'INVALID_ARGUMENT',
  EBUSY: 'FAILED_PRECONDITION',
  ENOTDIR: 'FAILED_PRECONDITION',
  EISDIR: 'FAILED_PRECONDITION',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  ENOMEM: 'RESOURCE_EXHAUSTED',
  EMFILE: 'RESOURCE_EXHAUSTED',
  ENFILE: 'RESOURCE_EXHAUSTED',
  EADDRINUSE: 'ALREADY_EXISTS',
  ECONNREFUSED: 'UNAVAILABLE',
  ECONNRESET: 'UNAVAILABLE',
  EHOSTUNREACH: 'UNAVAILABLE',
  ENETUNREACH: 'UNAVAILABLE',
  ENOTFOUND: 'UNAVAILABLE',
  EAI_AGAIN: 'UNAVAILABLE',
  ETIMEDOUT: 'DEADLINE_EXCEEDED',
  ENOSYS: 'UNIMPLEMENTED',
  EOPNOTSUPP: 'UNIMPLEMENTED',
}

/** The code a failed call with this errno name is reported as; INTERNAL where nothing fits better. */
export function codeOfErrno(errno: string): ErrorCode {
  return codeByErrno[errno] ?? 'INTERNAL'
}

/** Node's own errors carry `code` and `syscall`; this makes them ours and leaves our errors as they are. */
export function asKeelsonError(error: unknown, details: ErrorDetails = {}): KeelsonError {
  if (error instanceof KeelsonError) return error
  if (isSuppressed(error)) return asKeelsonError(error.suppressed, details)
  if (isNodeSyscallError(error)) {
    const path = details.path ?? error.path
    return new SyscallError(
      { ...details, call: error.syscall, errno: error.code, cause: error, ...(path ? { path } : {}) },
      undefined,
    )
  }
  if (isAbort(error)) return new KeelsonError('CANCELLED', 'cancelled', { ...details, cause: error })
  return new KeelsonError('INTERNAL', error instanceof Error ? error.message : String(error), {
    ...details,
    cause: error,
  })
}

/** What `using` makes of a failure and a disposal that failed after it: the first one is what went wrong. */
function isSuppressed(error: unknown): error is Error & { suppressed: unknown } {
  return error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** By the code alone: a failure that came through a socket (cri/client.ts) is of another class but means the same. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** True for Node's and our errors with one of these errno names. */
export function hasErrno(error: unknown, ...names: string[]): boolean {
  if (error instanceof SyscallError) return names.includes(error.errno)
  return isNodeSyscallError(error) && names.includes(error.code)
}

function isNodeSyscallError(
  error: unknown,
): error is Error & { code: string; syscall: string; path?: string } {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
