import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { WebSocket } from 'ws'
import type { Dial } from './port-forward.ts'
import { Wire } from './websocket-wire.ts'

/** The oldest way to forward over a WebSocket; no sub-protocol at all is the first. */
export const portForwardChannels = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io']

/**
 * One connection to each port that was asked for: channel 2i carries the bytes of the i-th, 2i + 1 what went wrong. Each
 * channel's first message is its port, two bytes, the lower one first. Resolves when all is said or the client is gone.
 */
export async function servePortForwardChannels(
  socket: WebSocket,
  ports: readonly number[],
  dial: Dial,
): Promise<void> {
  const wire = new Wire(socket)
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  socket.on('error', () => socket.terminate())
  const inputs = ports.map(() => new PassThrough())
  // An input that has ended or broken drains no more; the wire is not to wait for it, the others need it.
  const goOn = () => {
    if (!inputs.some((input) => input.writableNeedDrain)) wire.resume()
  }
  for (const input of inputs) input.on('drain', goOn).on('close', goOn)
  socket.on('message', (data) => {
    const [channel, payload] = wire.decode(data)
    const input = inputs[channel / 2]
    if (input?.writable && payload.length > 0 && !input.write(payload)) wire.pause()
  })
  await Promise.all(
    inputs.map((input, index) =>
      forward({ wire, index, port: ports[index] ?? 0, input, goOn, dial }, gone.signal),
    ),
  )
  if (socket.readyState === socket.CLOSED) return
  socket.close(1000)
  wire.resume()
  await once(socket, 'close')
}

interface Forward {
  wire: Wire
  index: number
  port: number
  input: PassThrough
  /** The wire is read again unless another input is full. */
  goOn: () => void
  dial: Dial
}

async function forward(
  { wire, index, port, input, goOn, dial }: Forward,
  signal: AbortSignal,
): Promise<void> {
  const [data, error] = [2 * index, 2 * index + 1]
  const name = Buffer.alloc(2)
  name.writeUInt16LE(port)
  await wire.send(data, name)
  await wire.send(error, name)
  try {
    const target = await dial(port)
    await Promise.all([
      pipeline(input, target, { signal }),
      pipeline(target, wire.output(data), { signal }).finally(() => {
        input.end()
        goOn()
      }),
    ])
  } catch (failure) {
    input.destroy()
    if (signal.aborted) return
    const why = failure instanceof Error ? failure.message : String(failure)
    await wire.send(error, Buffer.from(`forwarding to port ${port} failed: ${why}`))
  }
}
