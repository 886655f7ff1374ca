import { Readable, type Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import type { ClientStreams, StreamSession, WantedStreams } from '../service.ts'
import { firstSizeWithinMs, ResizeFeed } from './resize.ts'
import { runSession, statusJson, statusText } from './status.ts'
import { Wire } from './websocket-wire.ts'

/** Sub-protocols of exec and attach, the best first; none at all is the first, `channel.k8s.io`. */
export const commandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'base64.channel.k8s.io',
  'channel.k8s.io',
]

const stdinChannel = 0
const stdoutChannel = 1
const stderrChannel = 2
const errorChannel = 3
const resizeChannel = 4
/** v5: `[255, channel]` says that the client sends no more on that channel. */
const closeChannel = 255

/** exec and attach over a WebSocket: one byte of channel number before each message (base64 kinds: an ASCII digit). */
export async function serveWebSocketCommand(
  socket: WebSocket,
  wanted: WantedStreams,
  session: StreamSession,
): Promise<void> {
  const wire = new Wire(socket)
  const gone = new AbortController()
  const sizes = new ResizeFeed()
  const stdin = wanted.stdin ? new ClientInput(wire) : undefined
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      gone.abort()
      stdin?.end()
      resolve()
    })
  })
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => {
    const [channel, payload] = wire.decode(data)
    if (channel === stdinChannel) stdin?.feed(payload)
    if (channel === resizeChannel) sizes.feed(payload)
    if (channel === closeChannel && payload[0] === stdinChannel) stdin?.end()
  })
  const streams = clientStreams(wire, wanted, gone.signal)
  const first = streams.stdout ? stdoutChannel : stderrChannel
  await wire.send(first, Buffer.alloc(0))
  if (wanted.tty) await sizes.firstWithin(firstSizeWithinMs)
  const ending = await runSession(session, {
    ...streams,
    ...(stdin ? { stdin } : {}),
    onResize: (listener) => sizes.onResize(listener),
  })
  // Output first: a client takes the status for the last word.
  await Promise.race([Promise.all([end(streams.stdout), end(streams.stderr)]), closed])
  const status = /^v[45]/.test(socket.protocol) ? statusJson(ending) : statusText(ending)
  if (status !== '') await wire.send(errorChannel, Buffer.from(status))
  socket.close(1000)
  // A paused socket would never see the client's close, and one that is full would be paused again.
  stdin?.end()
  wire.resume()
  await closed
}

/** What the client sends as stdin. Nothing comes after its end, whatever the client sends then. */
class ClientInput extends Readable {
  readonly #wire: Wire
  #hasEnded = false

  constructor(wire: Wire) {
    super()
    this.#wire = wire
    this.on('error', () => undefined)
  }

  feed(payload: Buffer): void {
    if (this.#hasEnded || this.destroyed || payload.length === 0) return
    if (!this.push(payload)) this.#wire.pause()
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.push(null)
  }

  override _read(): void {
    this.#wire.resume()
  }

  /** What nobody reads any more holds nothing up: the rest is dropped as it comes. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#wire.resume()
    done(error)
  }
}

/** All of it has gone to the client, or never will. */
function end(output: Writable | undefined): Promise<void> {
  return new Promise((resolve) => (output ? output.end(() => resolve()) : resolve()))
}

function clientStreams(
  wire: Wire,
  { stdout, stderr, tty }: WantedStreams,
  signal: AbortSignal,
): Pick<ClientStreams, 'stdout' | 'stderr' | 'signal'> {
  return {
    ...(stdout ? { stdout: wire.output(stdoutChannel) } : {}),
    ...(stderr && !tty ? { stderr: wire.output(stderrChannel) } : {}),
    signal,
  }
}
