import { Duplex } from 'node:stream'
import transport, { type SpdyConnection, type SpdyStream } from 'spdy-transport'

/** One stream of a SPDY connection: its headers, bytes both ways, each direction closed on its own. */
export class SpdyChannel extends Duplex {
  readonly id: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly #stream: SpdyStream
  readonly #hold: (channel: SpdyChannel) => void
  readonly #release: (channel: SpdyChannel) => void

  constructor(
    stream: SpdyStream,
    flow: { hold: (channel: SpdyChannel) => void; release: (channel: SpdyChannel) => void },
  ) {
    super({ allowHalfOpen: true, readableHighWaterMark: heldBytesMax })
    this.id = stream.id
    this.headers = stream.headers
    this.#stream = stream
    this.#hold = flow.hold
    this.#release = flow.release
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#hold(this)
    })
    stream.on('end', () => this.push(null))
    stream.on('error', (error: Error) => this.destroy(error))
    stream.on('close', () => {
      if (!this.readableEnded || !this.writableFinished) this.destroy()
    })
    this.on('error', () => undefined)
  }

  header(name: string): string {
    const value = this.headers[name]
    return (Array.isArray(value) ? value[0] : value) ?? ''
  }

  /** Accepts the stream: SYN_REPLY, which is out when this resolves. Frames sent earlier would overtake it. */
  accept(): Promise<void> {
    return new Promise((resolve) => this.#stream.respond(200, {}, () => resolve()))
  }

  override _read(): void {
    this.#release(this)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#release(this)
    this.#stream.abort()
    done(error)
  }
}

/** What one reader may leave unread before the whole connection waits for it. */
const heldBytesMax = 1024 * 1024
const streamsMax = 2000

export interface SpdyServerConnection {
  /** Closes after all that was written has gone, whatever streams the client left open. */
  close(): void
}

/**
 * The server's side of SPDY/3.1 as Kubernetes speaks it, over spdy-transport. Go's library (moby/spdystream) takes
 * liberties with the protocol, hence:
 * - its SYN_STREAM has no `:method` and `:path`, without which the package refuses it: they are filled in;
 * - it knows no flow control and sends no WINDOW_UPDATE: our send windows are endless and TCP sets the pace; a
 *   channel nobody reads stops the reading of the socket, since there is no other way to stop its sender.
 */
export function acceptSpdy(
  socket: Duplex,
  onChannel: (channel: SpdyChannel) => void,
  onError: (error: Error) => void,
): SpdyServerConnection {
  const connection = transport.connection.create(socket, {
    protocol: 'spdy',
    isServer: true,
    maxStreams: streamsMax,
  })
  toleratesMissingPseudoHeaders(connection)
  endlessSendWindows(connection)
  const flow = backPressure(socket, connection)
  connection.on('error', onError)
  connection.on('stream', (stream: SpdyStream) => onChannel(new SpdyChannel(stream, flow)))
  connection.start(3.1)
  return { close: () => close(socket, connection) }
}

export function toleratesMissingPseudoHeaders(connection: SpdyConnection): void {
  const { parser } = connection._spdyState
  const parse = parser.parseKVs
  parser.parseKVs = (buffer, callback) =>
    parse.call(parser, buffer, (error, headers) =>
      error ? callback(error) : callback(null, { ':method': 'POST', ':path': '/', ...headers }),
    )
}

export function endlessSendWindows(connection: SpdyConnection): void {
  const { window, streamWindow } = connection._spdyState
  for (const { send } of [window, streamWindow])
    Object.assign(send, { current: Infinity, max: Infinity, limit: Infinity })
  connection._setDefaultWindow = () => {}
}

/** How long a client may take to close its side after GOAWAY. */
const lingerMs = 5000

/**
 * The package's own end waits until the client has closed every stream, which Go's never does. Here GOAWAY goes out
 * as the last and least urgent frame, and the end of the frames ends the socket.
 */
function close(socket: Duplex, connection: SpdyConnection): void {
  const { framer, parser, stream } = connection._spdyState
  socket.unpipe(parser)
  socket.resume()
  const goaway = Buffer.from('800300070000000800000000' + '00000000', 'hex')
  goaway.writeUInt32BE(stream.lastId.both, 8)
  const end = () => framer.push(null)
  framer.schedule({ stream: 0x7fffffff, priority: -1, chunks: [goaway], callback: end })
  AbortSignal.timeout(lingerMs).addEventListener('abort', () => socket.destroy())
}

function backPressure(socket: Duplex, connection: SpdyConnection) {
  const held = new Set<SpdyChannel>()
  const { parser } = connection._spdyState
  return {
    hold(channel: SpdyChannel) {
      if (held.size === 0) socket.unpipe(parser)
      held.add(channel)
    },
    release(channel: SpdyChannel) {
      if (held.delete(channel) && held.size === 0) socket.pipe(parser)
    },
  }
}
