import { status as Grpc, type StatusObject } from '@grpc/grpc-js'
import { CriError } from './error.ts'

/**
 * Error code ↔ gRPC status, both ways; the only place that knows both. A code is the string an error carries as
 * `code`; one that is not in this table (or none) is UNKNOWN on the wire, as every unclassified error of a Go
 * runtime is, and comes back as INTERNAL.
 */
const table: readonly (readonly [code: string, status: Grpc])[] = [
  ['CANCELLED', Grpc.CANCELLED],
  ['INVALID_ARGUMENT', Grpc.INVALID_ARGUMENT],
  ['DEADLINE_EXCEEDED', Grpc.DEADLINE_EXCEEDED],
  ['NOT_FOUND', Grpc.NOT_FOUND],
  ['ALREADY_EXISTS', Grpc.ALREADY_EXISTS],
  ['PERMISSION_DENIED', Grpc.PERMISSION_DENIED],
  ['RESOURCE_EXHAUSTED', Grpc.RESOURCE_EXHAUSTED],
  ['FAILED_PRECONDITION', Grpc.FAILED_PRECONDITION],
  ['CONFLICT', Grpc.ABORTED],
  ['EXPIRED', Grpc.OUT_OF_RANGE],
  ['UNIMPLEMENTED', Grpc.UNIMPLEMENTED],
  ['INTERNAL', Grpc.INTERNAL],
  ['UNAVAILABLE', Grpc.UNAVAILABLE],
  ['DATA_LOSS', Grpc.DATA_LOSS],
  ['UNAUTHENTICATED', Grpc.UNAUTHENTICATED],
]
const statusByCode = new Map(table)
/** Errors of the system that nobody classified, but which say that there was no room. */
const noRoom = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'])
const codeByStatus = new Map(table.map(([code, status]) => [status, code]))

/**
 * Failures that clients know by their first word, and only when it is an unclassified error's (cri-api,
 * pkg/errors/errors.go): a kubelet then says that the registry is not there, instead of that the pull failed.
 */
const wellKnown: readonly { rpc: string; code: string; word: string }[] = [
  { rpc: 'pullImage', code: 'UNAVAILABLE', word: 'RegistryUnavailable' },
]

/** gRPC puts the message into a header; more than this is cut, and half a character is none. */
const messageMax = 4096

/** What goes over the wire for an error of the implementation: one line, with its hint. */
export function statusOf(thrown: unknown, rpc = ''): Pick<StatusObject, 'code' | 'details'> {
  const error = firstOf(thrown)
  const message = oneLine(error instanceof Error ? error.message : String(error))
  const hint = property(error, 'hint')
  const details = hint ? `${message}: ${oneLine(hint)}` : message
  const code = property(error, 'code') ?? nameAsCode(error)
  const known = wellKnown.find((one) => one.rpc === rpc && one.code === code)
  if (known) return { code: Grpc.UNKNOWN, details: headerText(`${known.word}: ${details}`) }
  const other = noRoom.has(code) ? Grpc.RESOURCE_EXHAUSTED : Grpc.UNKNOWN
  return { code: statusByCode.get(code) ?? other, details: headerText(details) }
}

/** As UTF-8, in which half of a surrogate pair, be it from an image or from our cut, becomes U+FFFD: gRPC throws at it. */
function headerText(details: string): string {
  return Buffer.from(details.slice(0, messageMax)).toString()
}

/** The error a caller of the client gets for a failed call. */
export function errorOf(failure: unknown): CriError {
  if (failure instanceof CriError) return failure
  const status = failure instanceof Error && 'code' in failure ? failure.code : undefined
  const code = typeof status === 'number' ? codeByStatus.get(status) : undefined
  const details = property(failure, 'details') || messageOf(failure)
  const known = status === Grpc.UNKNOWN && wellKnown.find(({ word }) => details.startsWith(word))
  if (known) return new CriError(known.code, details.slice(known.word.length).replace(/^: /, ''), failure)
  return new CriError(code ?? 'INTERNAL', details, failure)
}

/** When an undo failed as well, what it was to undo is what the caller asks about. */
function firstOf(error: unknown): unknown {
  const isSuppressed = error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error
  return isSuppressed ? firstOf(error.suppressed) : error
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}

function nameAsCode(error: unknown): string {
  return error instanceof Error && error.name === 'AbortError' ? 'CANCELLED' : ''
}

function property(value: unknown, name: string): string | undefined {
  const found = value instanceof Error ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : undefined
}

/** What a caller sent comes back in messages, and with it whatever a terminal would obey. */
function oneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, ' ').trim()
  return line.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Name of the gRPC status that an error goes over the wire as: `NOT_FOUND`. */
export function codeOf(error: unknown): string {
  return Grpc[statusOf(error).code]
}
