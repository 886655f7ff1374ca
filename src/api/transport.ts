import { KeelsonError } from '../base/index.ts'

export type Query = Record<string, string | number | boolean | undefined>

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute path, already percent-encoded, without the query. */
  path: string
  query?: Query | undefined
  headers?: Readonly<Record<string, string>> | undefined
  body?: Uint8Array | undefined
  /** Aborting ends the request, also while its body is read. */
  signal?: AbortSignal | undefined
}

export interface TransportResponse {
  status: number
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>
  /** Must be read to its end or left by `return`; either frees the stream. */
  body: AsyncIterable<Uint8Array>
}

/**
 * Carries one request to an API server: over HTTP/2, or by a plain call where the server lives in this process.
 * Rejects with UNAVAILABLE when the server was not reached and with CANCELLED when the signal ended it; any
 * answer of the server, also an error, resolves.
 */
export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>
}

/** `?a=b&c=d`, or nothing; undefined values are left out. */
export function formatQuery(query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.append(name, String(value))
  return parameters.size === 0 ? '' : `?${parameters}`
}

export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const newline = 0x0a

/** The lines of a stream without their newlines; a last one without newline counts too, empty ones do not. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  let pending: Uint8Array[] = []
  for await (const chunk of body) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end))
      const line = Buffer.concat(pending).toString()
      if (line !== '') yield line
      pending = []
      start = end + 1
    }
    if (start < chunk.length) pending.push(chunk.subarray(start))
  }
  const rest = Buffer.concat(pending).toString()
  if (rest !== '') yield rest
}

export function parseJson<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new KeelsonError('DATA_LOSS', `${what} is not JSON`, { cause })
  }
}
