import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface UpgradeProxyRequest {
  /** What an HTTP server's 'upgrade' event hands over; the socket is ours from here on. */
  request: IncomingMessage
  socket: Duplex
  head: Buffer
  /** `http:` or `https:`, with path and query. */
  target: URL
  /** Sent instead of the client's headers of the same (lower-case) name; undefined leaves that header out. */
  headers?: Readonly<Record<string, string | undefined>>
  /** Client certificate and trust for an `https:` target. */
  tls?: Pick<
    ConnectionOptions,
    'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername' | 'checkServerIdentity'
  >
  /** Ends the connection at both sides. */
  signal?: AbortSignal
  /** Told why a connection was not made or broke; the client has its 502 by then. */
  onError?: (error: Error) => void
}

/**
 * Passes an HTTP/1.1 upgrade (SPDY/3.1 or WebSocket, GET or POST; RFC 9110 section 7.8) on to another server and
 * then carries raw bytes both ways, each direction at the pace of its reader and closed on its own. A target that
 * refuses has its answer, body included, passed back; one that cannot be reached becomes 502. The client's
 * Authorization and Cookie stay here unless `headers` gives them. Resolves when both sides are closed; never rejects.
 */
export async function proxyUpgrade(options: UpgradeProxyRequest): Promise<void> {
  const { socket, head, signal, onError } = options
  const sides = [closeOf(socket)]
  socket.on('error', (error) => onError?.(error))
  if (socket.destroyed) return
  const outgoing = openRequest(options)
  const stop = () => {
    outgoing.destroy()
    socket.destroy()
  }
  const gaveUp = () => outgoing.destroy()
  socket.once('close', gaveUp)
  outgoing.on('upgrade', (response, upstream, upstreamHead) => {
    socket.off('close', gaveUp)
    sides.push(closeOf(upstream))
    socket.write(headOf(response, response.rawHeaders))
    splice({ socket, head }, { socket: upstream, head: upstreamHead }, onError)
  })
  outgoing.on('response', (response) => passBack(response, socket))
  outgoing.on('error', (error) => {
    if (socket.destroyed) return
    onError?.(error)
    refuse(socket, 502, `the upgrade could not be passed on to ${options.target.host}: ${error.message}`)
  })
  outgoing.end()
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  for (const closed of sides) await closed
  signal?.removeEventListener('abort', stop)
}

/** Answers an 'upgrade' event with a plain response and closes. */
export function refuse(socket: Duplex, status: number, message: string, headers: string[] = []): void {
  const body = `${message}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers,
  ]
  endAndDestroy(socket, `${lines.join('\r\n')}\r\n\r\n${body}`)
}

function openRequest({ request, target, headers, tls }: UpgradeProxyRequest) {
  const common = { method: request.method ?? 'GET', headers: forwardedHeaders(request, target, headers) }
  const host = target.hostname.replace(/^\[|\]$/g, '')
  // No agent: with one, Node would overlook createConnection. allowHalfOpen: otherwise Node answers the target's FIN with its own while the client still sends.
  if (target.protocol === 'https:') {
    const port = Number(target.port || 443)
    const connection = { ...tls, host, port, allowHalfOpen: true, ALPNProtocols: ['http/1.1'] }
    const createConnection = () => connectTls(connection)
    return httpsRequest(target, { ...common, createConnection })
  }
  const createConnection = () => connectTcp({ host, port: Number(target.port || 80), allowHalfOpen: true })
  return httpRequest(target, { ...common, createConnection })
}

/** Header lines in their order and number (X-Stream-Protocol-Version comes several times), under the new host. */
function forwardedHeaders(
  request: IncomingMessage,
  target: URL,
  replaced: Readonly<Record<string, string | undefined>> = {},
): Record<string, string | string[]> {
  const forwarded = new Map<string, string[]>()
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = (request.rawHeaders[i] ?? '').toLowerCase()
    if (['host', 'authorization', 'cookie'].includes(name) || name in replaced) continue
    forwarded.set(name, [...(forwarded.get(name) ?? []), request.rawHeaders[i + 1] ?? ''])
  }
  // Without a length Node would announce a chunked body for POST, which an upgrade never has.
  if (request.method !== 'GET' && !forwarded.has('content-length')) forwarded.set('content-length', ['0'])
  const more = Object.entries(replaced).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(forwarded), ...Object.fromEntries(more), host: target.host }
}

function headOf(response: IncomingMessage, rawHeaders: readonly string[]): string {
  const lines = [`HTTP/1.1 ${response.statusCode} ${response.statusMessage ?? ''}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Node has already undone the chunking, so the body ends with the connection. */
function passBack(response: IncomingMessage, socket: Duplex): void {
  const kept: string[] = []
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = response.rawHeaders.slice(i, i + 2)
    if (!['transfer-encoding', 'connection', 'keep-alive'].includes(name.toLowerCase()))
      kept.push(name, value)
  }
  socket.write(headOf(response, [...kept, 'Connection', 'close']))
  response.on('data', (chunk) => {
    if (!socket.write(chunk)) response.pause()
  })
  socket.on('drain', () => response.resume())
  response.once('close', () => endAndDestroy(socket))
}

const flushWithinMs = 5000

interface End {
  socket: Duplex
  /** Bytes that came with the head of the message. */
  head: Buffer
}

function splice(client: End, target: End, onError?: (error: Error) => void): void {
  target.socket.on('error', (error) => onError?.(error))
  const pairs = [
    [client, target],
    [target, client],
  ] as const
  for (const [from, to] of pairs) {
    if (from.head.length > 0) to.socket.write(from.head)
    // A side that is gone takes no more; what it had sent before still goes out on the other.
    from.socket.once('close', () => endAndDestroy(to.socket))
    // A client may have sent all it has, and its FIN, while the target was being dialled: no 'end' comes any more.
    if (from.socket.readableEnded) to.socket.end()
    else from.socket.pipe(to.socket)
  }
}

function closeOf(socket: Duplex): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** What is on its way still goes out, unless its reader takes none of it: then nobody would ever see us gone. */
function endAndDestroy(socket: Duplex, last = ''): void {
  if (socket.destroyed) return
  if (socket.writableFinished) socket.destroy()
  else {
    const late = setTimeout(() => socket.destroy(), flushWithinMs)
    socket.once('close', () => clearTimeout(late))
    socket.once('finish', () => socket.destroy())
    if (!socket.writableEnded) socket.end(last)
  }
}
