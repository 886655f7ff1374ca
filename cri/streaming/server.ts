import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import { CriError } from '../error.ts'
import type { StreamingUrls, StreamSession, WantedStreams } from '../service.ts'
import { type Dial, portForwardProtocol, portForwardTunnel, servePortForward } from './port-forward.ts'
import { portForwardChannels, servePortForwardChannels } from './port-forward-channels.ts'
import { serveSpdyCommand } from './remote-command-spdy.ts'
import { commandProtocols, serveWebSocketCommand } from './remote-command-websocket.ts'
import { switchToSpdy } from './spdy-upgrade.ts'
import { refuse } from './upgrade-proxy.ts'
import { UrlTokens } from './url-tokens.ts'

export interface StreamingServer extends StreamingUrls, AsyncDisposable {
  /** `http://127.0.0.1:PORT`; `https:` with a certificate. */
  readonly url: string
  /** Another certificate for connections from now on. */
  renew(tls: StreamingTls): void
}

/** PEM of a certificate and its key; with authorities only clients that have a certificate of theirs are served. */
export interface StreamingTls {
  cert: string | Buffer
  key: string | Buffer
  ca?: string | Buffer
}

export interface ServeStreamingOptions {
  /** Default 127.0.0.1: whoever has a URL may use it, so nobody else's machine should reach it. */
  host?: string
  /** Default 0: any free one. */
  port?: number
  /** Then only TLS is spoken. */
  tls?: StreamingTls
  /** A connection on which nothing moves for so long is closed. Default: four hours. */
  idleTimeoutMs?: number
  nowMs?: () => number
  /** Told of connections that broke; a client that hangs up is none. */
  onError?: (error: Error) => void
}

type Kind = 'exec' | 'attach' | 'portforward'
type Session =
  | { kind: 'exec' | 'attach'; wanted: WantedStreams; session: StreamSession }
  | { kind: 'portforward'; ports: readonly number[]; dial: Dial }

interface Upgrade {
  request: IncomingMessage
  socket: Duplex
  head: Buffer
  /** Closes the connection when nothing has moved for too long. */
  watch(): void
}

/** Of one WebSocket message: clients send pieces of 32 KiB. */
const messageBytesMax = 4 * 1024 * 1024
/** How long a client may take to answer a close: it may have megabytes to read before that. */
const closeWithinMs = 5 * 60_000
const idleTimeoutMs = 4 * 60 * 60 * 1000

/**
 * The streaming server of a CRI runtime: hands out URLs and runs a session when a client comes with one, by GET or
 * POST, over WebSocket (v5, v4, v1; SPDY tunnel and channels for ports) or SPDY/3.1 (v4 to v1).
 */
export async function serveStreaming(options: ServeStreamingOptions = {}): Promise<StreamingServer> {
  const tokens = new UrlTokens<Session>(options.nowMs ?? Date.now)
  const onError = options.onError ?? (() => undefined)
  const server = createUpgradeServer(options)
  const sockets = trackSockets(server)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined)
    const idleMs = options.idleTimeoutMs ?? idleTimeoutMs
    const watch = () => void request.socket.setTimeout(idleMs, () => socket.destroy())
    watch()
    const session = sessionOf(tokens, request)
    if (!session) return refuse(socket, 404, 'no such streaming request, or it was used or is too old')
    serve(session, { request, socket, head, watch }, onError).catch((error) => {
      onError(error)
      socket.destroy()
    })
  })
  const scheme = options.tls ? 'https' : 'http'
  const url = `${scheme}://${await listen(server, options.host ?? '127.0.0.1', options.port ?? 0)}`
  const issue = (kind: Kind, session: Session) => `${url}/${kind}/${tokens.issue(session)}`
  return {
    url,
    exec: (wanted, session) => issue('exec', { kind: 'exec', wanted: checked(wanted), session }),
    attach: (wanted, session) => issue('attach', { kind: 'attach', wanted: checked(wanted), session }),
    portForward: (ports, dial) => issue('portforward', { kind: 'portforward', ports, dial }),
    renew: (tls) => {
      if ('setSecureContext' in server) (server as TlsServer).setSecureContext(tls)
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function createUpgradeServer({ tls }: ServeStreamingOptions): Server {
  const refuseAll: RequestListener = (_request, response) => {
    response.writeHead(400, { 'content-type': 'text/plain' }).end('this address takes upgrades only\n')
  }
  if (!tls) return createServer(refuseAll)
  return createTlsServer({ ...tls, requestCert: tls.ca !== undefined }, refuseAll)
}

function checked({ stdin, stdout, stderr, tty }: WantedStreams): WantedStreams {
  if (tty && stderr) throw new CriError('INVALID_ARGUMENT', 'with a terminal there is no stderr of its own')
  if (stdin || stdout || stderr) return { stdin, stdout, stderr, tty }
  throw new CriError('INVALID_ARGUMENT', 'one of stdin, stdout and stderr must be asked for')
}

function sessionOf(tokens: UrlTokens<Session>, { url = '' }: IncomingMessage): Session | undefined {
  const [, kind = '', token = ''] = /^\/(exec|attach|portforward)\/([\w-]+)(?:\?.*)?$/.exec(url) ?? []
  const session = token === '' ? undefined : tokens.take(token)
  return session?.kind === kind ? session : undefined
}

async function serve(session: Session, upgrade: Upgrade, onError: (error: Error) => void): Promise<void> {
  const wish = upgrade.request.headers.upgrade?.toLowerCase()
  if (wish === 'websocket') return serveWebSocket(session, upgrade, onError)
  if (wish !== 'spdy/3.1')
    return refuse(upgrade.socket, 400, `cannot upgrade to ${JSON.stringify(wish ?? '')}`)
  if (session.kind !== 'portforward')
    return serveSpdyCommand(upgrade, session.wanted, session.session, onError)
  if (switchToSpdy(upgrade, [portForwardProtocol]) !== undefined)
    await servePortForward(upgrade.socket, session.dial, onError)
}

async function serveWebSocket(
  session: Session,
  upgrade: Upgrade,
  onError: (error: Error) => void,
): Promise<void> {
  const known =
    session.kind === 'portforward' ? [portForwardTunnel, ...portForwardChannels] : commandProtocols
  const socket = await acceptWebSocket(upgrade, known)
  if (!socket) return
  if (session.kind !== 'portforward') return serveWebSocketCommand(socket, session.wanted, session.session)
  if (socket.protocol !== portForwardTunnel)
    return servePortForwardChannels(socket, session.ports, session.dial)
  await servePortForward(createWebSocketStream(socket), session.dial, onError)
}

/** No sub-protocol at all is the oldest one; only ones we do not know are refused. */
function acceptWebSocket(
  { request, socket, head, watch }: Upgrade,
  known: string[],
): Promise<WebSocket | undefined> {
  const offered = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  const chosen = known.find((one) => offered.includes(one))
  if (offered.length > 0 && chosen === undefined) {
    refuse(socket, 400, `none of the protocols ${offered.join(', ')} is supported`)
    return Promise.resolve(undefined)
  }
  // The tunnel's name is no token (RFC 6455, 4.1) and ws would refuse the whole request for it: it is shown another.
  if (chosen !== undefined) request.headers['sec-websocket-protocol'] = 'chosen'
  const options = {
    noServer: true,
    maxPayload: messageBytesMax,
    closeTimeout: closeWithinMs, // not in its types
    handleProtocols: () => chosen ?? (false as const),
  }
  const server = new WebSocketServer(options)
  return new Promise((resolve) => {
    socket.once('close', () => resolve(undefined))
    server.handleUpgrade(request, socket, head, (accepted) => {
      watch() // anew, for ws has ended it
      resolve(accepted)
    })
  })
}

function trackSockets(server: Server): Set<Duplex> {
  const sockets = new Set<Duplex>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}

/** `host:port`. */
async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  return `${host.includes(':') ? `[${host}]` : host}:${bound}`
}
