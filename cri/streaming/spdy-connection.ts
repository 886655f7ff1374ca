import type { Duplex } from 'node:stream'
import { CriError } from '../error.ts'
import { SpdyChannel, type SpdyWire } from './spdy-channel.ts'
import { controlFrame, controlKind, dataHead, FrameReader, finFlag, type SpdyFrame } from './spdy-frames.ts'
import { emptyHeaders, HeaderReader } from './spdy-headers.ts'

const streamsMax = 2000
/** Of one data frame that we send. */
const payloadBytesMax = 1024 * 1024
/** How long a client may take to close its side after GOAWAY: megabytes on their way to a slow one are lost if we go. */
const lingerMs = 5 * 60_000
/** The same when it has broken a rule or has no more to say itself. */
const hurriedLingerMs = 5000
/** Answers that the client has not taken yet; with so many it is not read until it has. */
const answersMax = 1000
/** While its bytes are left unread, nothing but an answer to a write tells that a client is gone. */
const pingEveryMs = 10_000

export interface SpdyServerConnection {
  /** Closes after all that was written has gone, whatever streams the client left open. */
  close(): void
}

/**
 * The server's side of SPDY/3.1 as Kubernetes speaks it. Go's library (moby/spdystream) takes liberties with the
 * protocol, and so do we: there is no flow control, its WINDOW_UPDATE is neither sent nor heeded. TCP sets the pace of
 * what we write, and a channel that nobody reads stops the reading of the socket, since there is no other way to stop
 * its sender. A frame that breaks the protocol ends the connection; `onError` is told.
 */
export function acceptSpdy(
  socket: Duplex,
  onChannel: (channel: SpdyChannel) => void,
  onError: (error: Error) => void,
): SpdyServerConnection {
  const connection = new Connection(socket, onChannel)
  connection.run().catch((error: Error) => {
    // A client that hangs up in the middle of something broke no rule.
    if (error instanceof CriError) onError(error)
    connection.close()
  })
  return connection
}

class Connection implements SpdyWire, SpdyServerConnection {
  readonly #socket: Duplex
  readonly #onChannel: (channel: SpdyChannel) => void
  readonly #channels = new Map<number, SpdyChannel>()
  readonly #headers = new HeaderReader()
  readonly #held = new Set<SpdyChannel>()
  #unsentAnswers = 0
  #wake = () => {}
  #lastId = 0
  #pingId = 0
  #hasReplied = false
  #isClosing = false

  constructor(socket: Duplex, onChannel: (channel: SpdyChannel) => void) {
    this.#socket = socket
    this.#onChannel = onChannel
    socket.on('error', () => undefined)
    socket.once('close', () => this.#wake())
  }

  /** Until the client has no more to say, or is gone. */
  async run(): Promise<void> {
    const frames = new FrameReader()
    try {
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        if (this.#isClosing) continue
        for (const frame of frames.feed(chunk)) {
          await this.#take(frame)
          if (this.#unsentAnswers >= answersMax) await this.#until(() => this.#unsentAnswers < answersMax)
        }
        if (this.#held.size > 0) await this.#untilReleased()
      }
    } finally {
      this.#headers.close()
      for (const channel of this.#channels.values()) channel.destroy()
      this.#close(hurriedLingerMs)
    }
  }

  close(): void {
    this.#close(lingerMs)
  }

  #close(withinMs: number): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#held.clear()
    this.#wake()
    this.#send([controlFrame(controlKind.goAway, [this.#lastId, 0])], () => this.#socket.end())
    const late = setTimeout(() => this.#socket.destroy(), withinMs)
    this.#socket.once('close', () => clearTimeout(late))
  }

  #take(frame: SpdyFrame): Promise<void> | undefined {
    if (frame.type === 'data') {
      this.#channels.get(frame.streamId)?.receive(frame.payload, frame.fin)
      return undefined
    }
    const { kind, flags, body } = frame
    if (kind === controlKind.synStream) return this.#open(flags, body)
    if (kind === controlKind.synReply || kind === controlKind.headers) return this.#passOver(flags, body)
    if (kind === controlKind.rstStream) this.#reset(wordOf(body))
    // A PING is answered by its twin; clients have the odd numbers.
    if (kind === controlKind.ping && wordOf(body) % 2 === 1)
      this.#answer(controlFrame(controlKind.ping, [wordOf(body)]))
    return undefined
  }

  /** Forgotten before it ends: no reset is told to whom it came from. */
  #reset(id: number): void {
    const channel = this.#channels.get(id)
    this.#channels.delete(id)
    channel?.destroy()
  }

  /** SYN_STREAM: stream id, associated stream id, priority and slot, headers. */
  async #open(flags: number, body: Buffer): Promise<void> {
    const id = wordOf(body) & 0x7fff_ffff
    if (id % 2 === 0 || id <= this.#lastId)
      throw new CriError('INVALID_ARGUMENT', `the client opened stream ${id} after stream ${this.#lastId}`)
    this.#lastId = id
    const headers = await this.#headers.read(body.subarray(10))
    const refused = 3
    if (this.#channels.size >= streamsMax)
      return this.#answer(controlFrame(controlKind.rstStream, [id, refused]))
    const channel = new SpdyChannel(this, id, headers)
    this.#channels.set(id, channel)
    if ((flags & finFlag) !== 0) channel.receive(Buffer.alloc(0), true)
    this.#onChannel(channel)
  }

  /** Headers that say nothing to us have to go through the decompressor all the same. */
  async #passOver(flags: number, body: Buffer): Promise<void> {
    await this.#headers.read(body.subarray(4))
    if ((flags & finFlag) !== 0) this.#channels.get(wordOf(body))?.receive(Buffer.alloc(0), true)
  }

  async #untilReleased(): Promise<void> {
    const ping = setInterval(() => {
      this.#pingId += 2
      this.#send([controlFrame(controlKind.ping, [this.#pingId])])
    }, pingEveryMs)
    try {
      await this.#until(() => this.#held.size === 0)
    } finally {
      clearInterval(ping)
    }
  }

  /** Or until there is nothing to wait for any more. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#isClosing && !this.#socket.destroyed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  hold(channel: SpdyChannel): void {
    if (!this.#isClosing) this.#held.add(channel)
  }

  release(channel: SpdyChannel): void {
    if (this.#held.delete(channel)) this.#wake()
  }

  reply(streamId: number, done: () => void): void {
    const block = emptyHeaders(!this.#hasReplied)
    this.#hasReplied = true
    this.#answer(controlFrame(controlKind.synReply, [streamId], block), done)
  }

  data(streamId: number, chunk: Buffer, done: () => void): void {
    const parts: Buffer[] = []
    for (let at = 0; at < chunk.length; at += payloadBytesMax) {
      const payload = chunk.subarray(at, at + payloadBytesMax)
      parts.push(dataHead(streamId, payload.length), payload)
    }
    this.#send(parts, done)
  }

  fin(streamId: number, done: () => void): void {
    this.#send([dataHead(streamId, 0, true)], done)
  }

  forget(channel: SpdyChannel, isEnded: boolean): void {
    const isKnown = this.#channels.delete(channel.id)
    const cancel = 5
    if (isKnown && !isEnded) this.#answer(controlFrame(controlKind.rstStream, [channel.id, cancel]))
  }

  /** Frames that a client can call forth: what it does not take is counted, or it would fill our memory with them. */
  #answer(frame: Buffer, done: () => void = () => undefined): void {
    this.#unsentAnswers += 1
    this.#send([frame], () => {
      this.#unsentAnswers -= 1
      this.#wake()
      done()
    })
  }

  /** A client that is gone hears nothing; its session learns of that from the socket. */
  #send(parts: readonly Buffer[], done: () => void = () => undefined): void {
    const last = parts.at(-1)
    if (!last || this.#socket.destroyed || this.#socket.writableEnded) {
      done()
      return
    }
    this.#socket.cork()
    for (const part of parts.slice(0, -1)) this.#socket.write(part)
    this.#socket.write(last, () => done())
    this.#socket.uncork()
  }
}

/** The first word of a body; one that is too short for it speaks of no stream. */
function wordOf(body: Buffer): number {
  return body.length < 4 ? 0 : body.readUInt32BE(0)
}
