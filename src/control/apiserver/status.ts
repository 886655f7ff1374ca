import { type ErrorCode, hasCode, KeelsonError } from '../../base/index.ts'

/** `Status` of meta/v1, the one shape of every failure on the wire. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, unknown>
  status: 'Success' | 'Failure'
  message?: string
  reason?: StatusReason
  details?: StatusDetails
  code: number
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export interface StatusCause {
  reason?: string
  message: string
  field?: string
}

/** Reason → HTTP code and the code of our own error hierarchy. */
const reasons = {
  BadRequest: [400, 'INVALID_ARGUMENT'],
  Unauthorized: [401, 'UNAUTHENTICATED'],
  Forbidden: [403, 'PERMISSION_DENIED'],
  NotFound: [404, 'NOT_FOUND'],
  MethodNotAllowed: [405, 'UNIMPLEMENTED'],
  NotAcceptable: [406, 'INVALID_ARGUMENT'],
  AlreadyExists: [409, 'ALREADY_EXISTS'],
  Conflict: [409, 'CONFLICT'],
  Expired: [410, 'EXPIRED'],
  RequestEntityTooLarge: [413, 'RESOURCE_EXHAUSTED'],
  UnsupportedMediaType: [415, 'INVALID_ARGUMENT'],
  Invalid: [422, 'INVALID_ARGUMENT'],
  TooManyRequests: [429, 'RESOURCE_EXHAUSTED'],
  InternalError: [500, 'INTERNAL'],
  NotImplemented: [501, 'UNIMPLEMENTED'],
  ServiceUnavailable: [503, 'UNAVAILABLE'],
  Timeout: [504, 'DEADLINE_EXCEEDED'],
} as const satisfies Record<string, readonly [number, ErrorCode]>

export type StatusReason = keyof typeof reasons

/** A failure that knows its `Status`. Thrown anywhere in the API server, written by its one border. */
export class StatusError extends KeelsonError {
  readonly reason: StatusReason
  readonly details: StatusDetails | undefined
  /** ListMeta of the answer: a token to go on with. */
  metadata: Record<string, unknown> = {}

  constructor(reason: StatusReason, message: string, details?: StatusDetails) {
    super(reasons[reason][1], message)
    this.name = 'StatusError'
    this.reason = reason
    this.details = details
  }

  get status(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details ? { details: this.details } : {}),
      code: reasons[this.reason][0],
    }
  }
}

const reasonByCode: Partial<Record<ErrorCode, StatusReason>> = {
  INVALID_ARGUMENT: 'BadRequest',
  NOT_FOUND: 'NotFound',
  ALREADY_EXISTS: 'AlreadyExists',
  CONFLICT: 'Conflict',
  EXPIRED: 'Expired',
  PERMISSION_DENIED: 'Forbidden',
  UNAUTHENTICATED: 'Unauthorized',
  RESOURCE_EXHAUSTED: 'TooManyRequests',
  UNAVAILABLE: 'ServiceUnavailable',
  DEADLINE_EXCEEDED: 'Timeout',
  UNIMPLEMENTED: 'NotImplemented',
}

/** Any thrown value as a `Status`; what we did not foresee is an InternalError. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status
  const reason = error instanceof KeelsonError ? reasonByCode[error.code] : undefined
  const message = error instanceof Error ? error.message : String(error)
  if (reason) return new StatusError(reason, message).status
  return new StatusError('InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
    .status
}

export function isUnforeseen(error: unknown): boolean {
  return !(error instanceof KeelsonError) || hasCode(error, 'INTERNAL')
}

/** What a Status names: the resource in group form, `deployments.apps "web"`. */
export interface Named {
  group: string
  resource: string
  name: string
}

function qualified({ group, resource }: Pick<Named, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`
}

function detailsOf({ group, resource, name }: Named): StatusDetails {
  return { name, ...(group === '' ? {} : { group }), kind: resource }
}

export function notFound(of: Named): StatusError {
  return new StatusError('NotFound', `${qualified(of)} "${of.name}" not found`, detailsOf(of))
}

export function alreadyExists(of: Named): StatusError {
  return new StatusError('AlreadyExists', `${qualified(of)} "${of.name}" already exists`, detailsOf(of))
}

export function conflict(of: Named, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(of)} "${of.name}": ${why}`
  return new StatusError('Conflict', message, detailsOf(of))
}

export function forbidden(of: Named, why: string, causes?: StatusCause[]): StatusError {
  const object = of.name === '' ? qualified(of) : `${qualified(of)} "${of.name}"`
  const details = { ...detailsOf(of), ...(causes ? { causes } : {}) }
  return new StatusError('Forbidden', `${object} is forbidden: ${why}`, details)
}

/** One wrong field. `type` is Kubernetes' cause reason: FieldValueInvalid, FieldValueRequired, … */
export interface FieldError {
  type:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueDuplicate'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueNotFound'
  field: string
  /** The whole text after the field path: `Required value: must be …`. */
  message: string
}

/** `Deployment.apps "web" is invalid: spec.x: Required value` (or a bracketed list of several). */
export function invalid(
  kind: string,
  group: string,
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const texts = errors.map(({ field, message }) => `${field}: ${message}`)
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const qualifiedKind = group === '' ? kind : `${kind}.${group}`
  return new StatusError('Invalid', `${qualifiedKind} "${name}" is invalid: ${all}`, {
    name,
    ...(group === '' ? {} : { group }),
    kind,
    causes: errors.map(({ type, message, field }) => ({ reason: type, message, field })),
  })
}
