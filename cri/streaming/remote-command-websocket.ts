import { Readable } from 'node:stream'
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
  const stdin = wanted.stdin ? new Readable({ read: () => wire.resume() }) : undefined
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      gone.abort()
      stdin?.push(null)
      resolve()
    })
  })
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => {
    const [channel, payload] = wire.decode(data)
    if (channel === stdinChannel && payload.length > 0 && stdin?.push(payload) === false) wire.pause()
    if (channel === resizeChannel) sizes.feed(payload)
    if (channel === closeChannel && payload[0] === stdinChannel) stdin?.push(null)
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
  const status = /^v[45]/.test(socket.protocol) ? statusJson(ending) : statusText(ending)
  if (status !== '') await wire.send(errorChannel, Buffer.from(status))
  socket.close(1000)
  // A paused socket would never see the client's close.
  wire.resume()
  await closed
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
