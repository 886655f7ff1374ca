import {
  asKeelsonError,
  type ErrorCode,
  type ErrorDetails,
  hasCode,
  isAbort,
  KeelsonError,
} from '../../base/index.ts'
import { oneLine } from '../one-line.ts'

interface RegistryDetails extends ErrorDetails {
  /** Trying the same again may help. */
  isTransient?: boolean
  /** How long the registry wants to be left alone. */
  retryAfterMs?: number
  /** HTTP status of the answer. */
  status?: number
}

/** What went wrong with a registry, and whether it is worth another try. */
export class RegistryError extends KeelsonError {
  readonly isTransient: boolean
  readonly retryAfterMs: number | undefined
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, details: RegistryDetails = {}) {
    super(code, message, details)
    this.isTransient = details.isTransient ?? false
    this.retryAfterMs = details.retryAfterMs
    this.status = details.status
  }
}

export function isTransient(error: unknown): boolean {
  return error instanceof RegistryError && error.isTransient
}

/** An answer that is none: what it means by its status (distribution spec, "Error Codes"). */
export function refusal(
  answer: { status: number; retryAfterMs?: number | undefined },
  what: string,
  host: string,
  text: string,
): RegistryError {
  const { status, retryAfterMs } = answer
  const detail = registryMessage(text)
  const more = detail === undefined ? '' : `: ${detail}`
  const details = { id: what, status }
  if (status === 404)
    return new RegistryError('NOT_FOUND', `${what} does not exist on ${host}${more}`, details)
  if (status === 403)
    return new RegistryError('PERMISSION_DENIED', `registry ${host} denies ${what}${more}`, details)
  const message = `registry ${host} answers ${status} for ${what}${more}`
  if (status === 429)
    return new RegistryError('UNAVAILABLE', `${message}: too many requests`, {
      ...details,
      isTransient: true,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      hint: 'log in to the registry or use a mirror, and try again later',
    })
  if (status < 500 && status !== 408) return new RegistryError('FAILED_PRECONDITION', message, details)
  return new RegistryError('UNAVAILABLE', message, {
    ...details,
    isTransient: true,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

/** Nobody there, or somebody who breaks off. */
export function unreachable(error: unknown, host: string): KeelsonError {
  if (error instanceof KeelsonError) return error
  if (isAbort(error) || (error instanceof Error && error.name === 'TimeoutError'))
    return asKeelsonError(error)
  const code = codeOf(error)
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS/.test(code)
  return new RegistryError('UNAVAILABLE', `registry ${host} does not answer: ${reason(error)}`, {
    cause: error,
    // What is no HTTP, or has a certificate that nobody trusts, will not have changed a second later.
    isTransient:
      !untrusted && !code.startsWith('HPE_') && !code.startsWith('ERR_SSL') && !code.includes('TIMEOUT'),
    hint: untrusted
      ? "give the registry's authority as caFile in the table of registries"
      : 'check the name, the network and that the registry runs',
  })
}

export function unauthenticated(host: string, hasCredentials: boolean, why?: string): RegistryError {
  const message = hasCredentials
    ? `registry ${host} refuses these credentials`
    : `registry ${host} refuses access: the image is private or does not exist`
  return new RegistryError('UNAUTHENTICATED', why === undefined ? message : `${message}: ${why}`, {
    hint: 'check the image name and the credentials (imagePullSecrets)',
  })
}

/** NOT_FOUND only if all agree; otherwise what went wrong with the source that might have had it. */
export function mostTelling(errors: readonly unknown[]): unknown {
  const codes = [
    'DATA_LOSS',
    'UNAVAILABLE',
    'UNAUTHENTICATED',
    'PERMISSION_DENIED',
    'FAILED_PRECONDITION',
  ] as const
  for (const code of codes) {
    const found = errors.filter((error) => hasCode(error, code))
    if (found.length === 1 || (found.length > 0 && code !== 'UNAVAILABLE')) return found[0]
    if (found.length > 1)
      return new KeelsonError(code, found.map((error) => (error as KeelsonError).message).join('; '), {
        cause: found[0],
      })
  }
  return errors[0]
}

/** Several addresses of one host fail as an AggregateError without a message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reason).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The first message of an error document. */
function registryMessage(text: string): string | undefined {
  try {
    const { code, message } = JSON.parse(text).errors?.[0] ?? {}
    const found: unknown = message || code
    return typeof found === 'string' ? oneLine(found, 200) : undefined
  } catch {
    return undefined
  }
}
