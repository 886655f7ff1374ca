import { Duplex } from 'node:stream'
import type { SpdyHeaders } from './spdy-headers.ts'

/** The connection, as its channels use it. Callbacks come when the bytes are on their way, which sets the pace. */
export interface SpdyWire {
  reply(streamId: number, done: () => void): void
  data(streamId: number, chunk: Buffer, done: () => void): void
  fin(streamId: number, done: () => void): void
  /** No frame of this stream is wanted any more; unless both sides had ended, the client is told. */
  forget(channel: SpdyChannel, isEnded: boolean): void
  /** Stop reading the socket, for this channel's sake, until it is released. */
  hold(channel: SpdyChannel): void
  release(channel: SpdyChannel): void
}

/** What one reader may leave unread before the whole connection waits for it. */
const heldBytesMax = 1024 * 1024

/** One stream of a SPDY connection: its headers, bytes both ways, each direction closed on its own. */
export class SpdyChannel extends Duplex {
  readonly id: number
  readonly #headers: SpdyHeaders
  readonly #wire: SpdyWire
  #hasEnded = false

  constructor(wire: SpdyWire, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, readableHighWaterMark: heldBytesMax })
    this.id = id
    this.#headers = headers
    this.#wire = wire
    this.on('error', () => undefined)
    // Nothing is asked for after the end, so what was held up for this reader goes on here.
    this.once('end', () => wire.release(this))
  }

  header(name: string): string {
    return this.#headers[name]?.split('\0')[0] ?? ''
  }

  /** Accepts the stream: SYN_REPLY, which is out when this resolves. */
  accept(): Promise<void> {
    return new Promise((resolve) => this.#wire.reply(this.id, resolve))
  }

  /** What the client sent on it. */
  receive(payload: Buffer, fin: boolean): void {
    if (this.destroyed || this.#hasEnded) return
    if (payload.length > 0 && !this.push(payload)) this.#wire.hold(this)
    if (!fin) return
    this.#hasEnded = true
    this.push(null)
  }

  override _read(): void {
    this.#wire.release(this)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#wire.data(this.id, chunk, done)
  }

  override _final(done: () => void): void {
    this.#wire.fin(this.id, done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#wire.release(this)
    this.#wire.forget(this, this.#hasEnded && this.writableFinished)
    done(error)
  }
}
