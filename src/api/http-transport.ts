import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { type Clock, hasErrno, isAbort, KeelsonError, systemClock } from '../base/index.ts'
import { formatQuery, type Transport, type TransportRequest, type TransportResponse } from './transport.ts'

export interface HttpTransportOptions {
  /** `https://127.0.0.1:6443` */
  server: string
  /** PEM of the authority that signed the server's certificate. */
  ca?: string | Uint8Array | undefined
  /** PEM of the client's certificate and key. */
  cert?: string | Uint8Array | undefined
  key?: string | Uint8Array | undefined
  /** Bearer token. */
  token?: string | undefined
  /** Name to expect in the server's certificate, where it differs from the address. */
  serverName?: string | undefined
  clock?: Clock
  /** While requests are open the peer is asked for a sign of life this often; default 15 s. */
  keepaliveMs?: number
}

export interface HttpTransport extends Transport, AsyncDisposable {}

/**
 * Requests over one HTTP/2 connection that is made when first needed and again after it was lost. A request that the
 * server has certainly not seen (connection already going away, stream refused) is sent once more.
 */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  return new Http2Transport(options)
}

class Http2Transport implements HttpTransport {
  readonly #options: HttpTransportOptions
  readonly #clock: Clock
  #session: ClientHttp2Session | undefined
  #closed = false

  constructor(options: HttpTransportOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    try {
      return await this.#send(request)
    } catch (error) {
      if (!isUnseen(error)) throw this.#unavailable(error, request)
    }
    try {
      return await this.#send(request)
    } catch (error) {
      throw this.#unavailable(error, request)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const session = this.#session
    if (!session || session.closed) return
    const closed = once(session, 'close')
    session.destroy()
    await closed
  }

  async #send(request: TransportRequest): Promise<TransportResponse> {
    request.signal?.throwIfAborted()
    const session = this.#open()
    const stream = session.request(
      {
        ...request.headers,
        ...(this.#options.token ? { authorization: `Bearer ${this.#options.token}` } : {}),
        ...(request.body ? { 'content-length': String(request.body.byteLength) } : {}),
        ':method': request.method,
        ':path': request.path + formatQuery(request.query),
      },
      // Without this Node takes a DELETE for one without a body and ends the stream at its head.
      { endStream: request.body === undefined },
    )
    const stopAborting = endWith(stream, request.signal)
    stream.once('close', stopAborting)
    if (request.body !== undefined) stream.end(request.body)
    const headers = await responseHeaders(stream, session)
    return {
      status: Number(headers[':status']),
      headers: plainHeaders(headers),
      body: this.#bodyOf(stream, request),
    }
  }

  async *#bodyOf(stream: ClientHttp2Stream, request: TransportRequest): AsyncIterable<Uint8Array> {
    let complete = false
    try {
      yield* stream
      complete = true
      request.signal?.throwIfAborted()
      // A connection that breaks off ends the stream like a complete answer; only the code tells.
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted)
        throw new KeelsonError('UNAVAILABLE', 'the answer broke off', {
          op: request.method,
          id: request.path,
        })
    } catch (error) {
      throw this.#unavailable(error, request)
    } finally {
      // Only for a body left unread: a server counts resets, and ends connections that send too many.
      if (!complete && !stream.closed) stream.close(constants.NGHTTP2_CANCEL)
    }
  }

  #open(): ClientHttp2Session {
    if (this.#closed) throw new KeelsonError('CANCELLED', 'the transport is closed')
    const present = this.#session
    if (present && !present.closed && !present.destroyed) return present
    const { server, ca, cert, key, serverName } = this.#options
    const session = connect(server, {
      ...(ca === undefined ? {} : { ca: pem(ca) }),
      ...(cert === undefined ? {} : { cert: pem(cert) }),
      ...(key === undefined ? {} : { key: pem(key) }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    })
    session.setMaxListeners(0)
    session.on('error', () => {}) // every open stream is told by its own error
    session.on('goaway', () => this.#forget(session))
    session.on('close', () => this.#forget(session))
    this.#session = session
    this.#keepAlive(session)
    return session
  }

  #forget(session: ClientHttp2Session): void {
    if (this.#session === session) this.#session = undefined
  }

  /** A peer that vanished without a word would leave watches silent for ever: no answer to a ping ends the session. */
  #keepAlive(session: ClientHttp2Session): void {
    const intervalMs = this.#options.keepaliveMs ?? 15_000
    const ask = () => {
      if (session.destroyed) return
      const giveUp = this.#clock.after(intervalMs, () => session.destroy())
      session.ping((error) => {
        giveUp()
        if (!error) this.#clock.after(intervalMs, ask)
      })
    }
    session.once('connect', () => this.#clock.after(intervalMs, ask))
  }

  #unavailable(error: unknown, request: TransportRequest): unknown {
    if (error instanceof KeelsonError) return error
    const details = { op: request.method, id: request.path, cause: error }
    if (request.signal?.aborted || isAbort(error)) return new KeelsonError('CANCELLED', 'cancelled', details)
    const why = error instanceof Error ? error.message || ('code' in error ? String(error.code) : '') : ''
    const hint = hasErrno(error, 'ECONNREFUSED') ? { hint: 'is the API server running?' } : {}
    return new KeelsonError('UNAVAILABLE', `no answer from ${this.#options.server}: ${why}`, {
      ...details,
      ...hint,
    })
  }
}

function endWith(stream: ClientHttp2Stream, signal: AbortSignal | undefined): () => void {
  const cancel = () => stream.close(constants.NGHTTP2_CANCEL)
  signal?.addEventListener('abort', cancel, { once: true })
  return () => signal?.removeEventListener('abort', cancel)
}

function responseHeaders(
  stream: ClientHttp2Stream,
  session: ClientHttp2Session,
): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    let sessionError: unknown
    const onSessionError = (error: unknown) => {
      sessionError = error // the stream itself often says only that it was cancelled
    }
    const onResponse = (headers: IncomingHttpHeaders) => {
      stop()
      stream.on('error', () => {}) // from here on whoever reads the body meets it there
      resolve(headers)
    }
    const onError = (error: unknown) => {
      stop()
      reject(sessionError ?? error)
    }
    const onClose = () => onError(new Error(`stream closed with code ${stream.rstCode}`))
    const stop = () => {
      session.off('error', onSessionError)
      stream.off('response', onResponse).off('close', onClose)
    }
    session.on('error', onSessionError)
    stream.on('response', onResponse).on('error', onError).on('close', onClose)
  })
}

/** True when the server cannot have acted on the request, so that sending it again is safe. */
function isUnseen(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return (
    code === 'ERR_HTTP2_GOAWAY_SESSION' ||
    code === 'ERR_HTTP2_INVALID_SESSION' ||
    (code === 'ERR_HTTP2_STREAM_ERROR' && error.message.includes('NGHTTP2_REFUSED_STREAM'))
  )
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value ?? '')]),
  )
}

function pem(value: string | Uint8Array): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value)
}
