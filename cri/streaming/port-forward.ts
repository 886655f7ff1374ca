import type { Duplex } from 'node:stream'
import type { SpdyChannel } from './spdy-channel.ts'
import { acceptSpdy } from './spdy-connection.ts'

export const portForwardProtocol = 'portforward.k8s.io'
/** The same SPDY bytes inside WebSocket messages, whose edges mean nothing. */
export const portForwardTunnel = `SPDY/3.1+${portForwardProtocol}`

export type Dial = (port: number) => Promise<Duplex>

/**
 * Port forwarding over SPDY/3.1: each TCP connection is a pair of streams with one `requestid`, first `error`, then
 * `data`. What goes wrong is told as text on the error stream. Resolves when the client is gone.
 */
export async function servePortForward(
  socket: Duplex,
  dial: Dial,
  onError: (error: Error) => void,
): Promise<void> {
  const waiting = new Map<string, SpdyChannel>()
  acceptSpdy(
    socket,
    async (channel) => {
      await channel.accept()
      const id = requestId(channel)
      if (channel.header('streamtype') === 'error') {
        waiting.set(id, channel)
        channel.once('close', () => waiting.delete(id))
        channel.resume()
        return
      }
      const error = waiting.get(id)
      waiting.delete(id)
      void forward(channel, error, dial)
    },
    onError,
  )
  await new Promise<void>((resolve) => {
    if (socket.destroyed) resolve()
    socket.once('close', () => resolve())
  })
}

/** Older clients send no id: an error stream is its own, its data stream comes two later. */
function requestId(channel: SpdyChannel): string {
  const id = channel.header('requestid')
  if (id !== '') return id
  return String(channel.header('streamtype') === 'error' ? channel.id : channel.id - 2)
}

async function forward(data: SpdyChannel, error: SpdyChannel | undefined, dial: Dial): Promise<void> {
  const port = Number(data.header('port'))
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`${port} is not a port`)
    await splice(data, await dial(port))
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure)
    error?.write(`forwarding to port ${port} failed: ${why}`)
    // Not a reset: it would overtake the reply to the stream, and the client wait for that in vain.
    data.resume()
    data.end()
  }
  error?.end()
}

/**
 * Both directions, each closed on its own; a break on one side breaks the other. Resolves when the target has said
 * all it had to: a Go client keeps its local connection open until it has seen the end of the error stream.
 */
function splice(data: Duplex, target: Duplex): Promise<void> {
  if (data.destroyed) target.destroy() // the client has left during the dial
  if (target.destroyed) return Promise.resolve()
  return new Promise((resolve, reject) => {
    data.pipe(target)
    target.pipe(data)
    data.once('finish', () => resolve())
    data.once('close', () => target.destroy())
    target.once('error', reject)
    target.once('close', () => {
      // The pipe has let go of it and paused it: what the client still sends would stop the whole connection.
      data.resume()
      data.end()
      resolve()
    })
  })
}
