import { Writable } from 'node:stream'
import type { RawData, WebSocket } from 'ws'

/** While its messages are left unread, nothing but the answer to a write tells that a client is gone. */
const pingEveryMs = 10_000

/**
 * Messages of a channel protocol (channel.k8s.io and its kin): one byte of channel number before the payload, in base64
 * kinds an ASCII digit before base64. A send resolves when the bytes have gone to the socket, which sets the pace.
 */
export class Wire {
  readonly #socket: WebSocket
  readonly #base64: boolean
  #pings: NodeJS.Timeout | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#base64 = socket.protocol.includes('base64')
    socket.once('close', () => clearInterval(this.#pings))
  }

  decode(data: RawData): [channel: number, payload: Buffer] {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
    const first = bytes[0] ?? -1
    if (!this.#base64) return [first, bytes.subarray(1)]
    return [first - 0x30, Buffer.from(bytes.subarray(1).toString(), 'base64')]
  }

  send(channel: number, payload: Buffer): Promise<void> {
    const message = this.#base64
      ? `${channel}${payload.toString('base64')}`
      : Buffer.concat([Buffer.of(channel), payload])
    return new Promise((resolve) => {
      // A client that is gone hears nothing; the session learns of it from its signal.
      if (this.#socket.readyState !== this.#socket.OPEN) return resolve()
      this.#socket.send(message, () => resolve())
    })
  }

  output(channel: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.send(channel, chunk).then(() => done(), done)
      },
    })
  }

  pause(): void {
    this.#socket.pause()
    this.#pings ??= setInterval(() => this.#socket.ping(), pingEveryMs)
  }

  resume(): void {
    clearInterval(this.#pings)
    this.#pings = undefined
    this.#socket.resume()
  }
}
