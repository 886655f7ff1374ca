import {
  formatQuery,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '../../api/index.ts'
import { KeelsonError } from '../../base/index.ts'
import type { ApiRequest, Handler, Reply, Sink, User } from './http/message.ts'
import { jsonReply } from './http/message.ts'
import { statusOf } from './status.ts'

/** Calls the handler without a network between: for the scheduler and the controllers of the same process. */
export function createLocalTransport(handler: Handler, user: User, closing: AbortSignal): Transport {
  return {
    async request(request) {
      if (closing.aborted) throw new KeelsonError('UNAVAILABLE', 'the API server is closed')
      if (request.signal?.aborted) throw new KeelsonError('CANCELLED', 'cancelled')
      const reply = await answer(handler, apiRequestOf(request, user, request.signal ?? closing))
      return responseOf(reply, [closing, ...(request.signal ? [request.signal] : [])])
    },
  }
}

function apiRequestOf(request: TransportRequest, user: User, signal: AbortSignal): ApiRequest {
  return {
    method: request.method,
    path: request.path,
    query: new URLSearchParams(formatQuery(request.query)),
    headers: { ...request.headers },
    user,
    body: async () => request.body ?? new Uint8Array(),
    signal,
  }
}

async function answer(handler: Handler, request: ApiRequest): Promise<Reply> {
  try {
    return await handler(request)
  } catch (error) {
    const status = statusOf(error)
    return jsonReply(status.code, status)
  }
}

function responseOf({ status, headers, body }: Reply, ends: readonly AbortSignal[]): TransportResponse {
  const plain = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ])
  const chunks =
    typeof body === 'function'
      ? streamed(body, ends)
      : once(typeof body === 'string' ? Buffer.from(body) : body)
  return { status, headers: Object.fromEntries(plain) as Record<string, string>, body: chunks }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Runs the stream body while somebody reads; leaving the loop ends it, and so does each of `ends`. */
async function* streamed(
  run: (sink: Sink, signal: AbortSignal) => Promise<void>,
  ends: readonly AbortSignal[],
): AsyncIterable<Uint8Array> {
  const stop = new AbortController()
  const { signal } = stop
  const abort = () => stop.abort()
  for (const end of ends) end.addEventListener('abort', abort, { once: true })
  if (ends.some(({ aborted }) => aborted)) abort()
  const queue = new ChunkQueue()
  const running = run(queue, signal).then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  )
  try {
    for (let chunk = await queue.next(); chunk; chunk = await queue.next()) yield chunk
    if (signal.aborted) throw new KeelsonError('CANCELLED', 'cancelled')
  } finally {
    abort()
    for (const end of ends) end.removeEventListener('abort', abort)
    await running
  }
}

class ChunkQueue implements Sink {
  #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #failure: unknown
  #wake: () => void = () => {}
  #drained: (() => void)[] = []

  get bufferedBytes(): number {
    return this.#bytes
  }

  write(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    this.#wake()
  }

  async drained(): Promise<void> {
    if (this.#bytes > 0 && !this.#ended) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  end(failure?: unknown): void {
    this.#ended = true
    this.#failure = failure
    this.#wake()
  }

  /** Everything that waits, in one piece; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    for (const resolve of this.#drained.splice(0)) resolve()
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
  }
}
