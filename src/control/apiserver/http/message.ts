import type { IncomingHttpHeaders } from 'node:http'

/** Who asks. Anonymous is a user too: `system:anonymous` in `system:unauthenticated`. */
export interface User {
  name: string
  groups: readonly string[]
}

/** One request, whatever carried it: HTTP/2, HTTP/1.1 or a call inside the process. */
export interface ApiRequest {
  readonly method: string
  /** Path without the query, still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly user: User
  /** The whole body; a 413 Status above the limit. */
  body(): Promise<Uint8Array>
  /** Aborted when the client is gone or the server closes. */
  readonly signal: AbortSignal
}

export type Headers = Record<string, string | string[]>

/** An answer that is complete, or one that goes on. */
export interface Reply {
  status: number
  headers: Headers
  body: Uint8Array | string | StreamBody
}

/** Writes until it returns; the border ends the response then. Must end soon after `signal` is aborted. */
export type StreamBody = (sink: Sink, signal: AbortSignal) => Promise<void>

export interface Sink {
  write(chunk: Uint8Array | string): void
  /** Bytes handed to `write` that the client has not taken yet. */
  readonly bufferedBytes: number
  /** Resolves when the buffer is empty again. */
  drained(): Promise<void>
}

export type Handler = (request: ApiRequest) => Promise<Reply>

export const bodyLimitBytes = 3 * 1024 * 1024

export function jsonReply(status: number, value: unknown, headers: Headers = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}
