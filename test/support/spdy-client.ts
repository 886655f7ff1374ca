import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { Duplex } from 'node:stream'
import { constants, createDeflate } from 'node:zlib'
import { spdyDictionary } from '../../cri/streaming/spdy-dictionary.ts'
import {
  controlFrame,
  controlKind,
  dataHead,
  FrameReader,
  finFlag,
  type SpdyFrame,
} from '../../cri/streaming/spdy-frames.ts'

/**
 * A SPDY client over an upgraded connection, as Go's is one: no pseudo headers, no flow control. That real clients and
 * our server understand each other is proved by kubectl, crictl and critest.
 */
export class SpdyClient {
  readonly socket: Duplex
  readonly protocol: string
  readonly #deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH })
  readonly #frames = new FrameReader()
  readonly #streams = new Map<number, SpdyStream>()
  #nextId = 1
  #lastBlock: Promise<unknown> = Promise.resolve()

  private constructor(socket: Duplex, protocol: string) {
    this.socket = socket
    this.protocol = protocol
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#frames.feed(chunk)) this.#take(frame)
    })
    socket.once('close', () => {
      this.#deflate.destroy()
      for (const stream of this.#streams.values()) stream.destroy()
    })
  }

  static async dial(url: string, protocols: string[]): Promise<SpdyClient> {
    const { response, socket } = await upgrade(url, protocols)
    if (!socket) throw new Error(`refused: ${response.statusCode}`)
    return SpdyClient.over(socket, String(response.headers['x-stream-protocol-version']))
  }

  static over(socket: Duplex, protocol: string): SpdyClient {
    return new SpdyClient(socket, protocol)
  }

  /** Opens a stream and waits for its SYN_REPLY. */
  async open(headers: Record<string, string>): Promise<SpdyStream> {
    const id = this.#nextId
    this.#nextId += 2
    const stream = new SpdyStream(id, this.socket)
    this.#streams.set(id, stream)
    const replied = Promise.race([
      once(stream, 'reply'),
      once(stream, 'close').then(() => Promise.reject(new Error(`stream ${id} was refused`))),
    ])
    replied.catch(() => undefined)
    const priority = Buffer.alloc(2)
    const block = await this.#compress(headerBlock(headers))
    this.socket.write(controlFrame(controlKind.synStream, [id, 0], Buffer.concat([priority, block])))
    await replied
    return stream
  }

  /** One after the other, for they share a compressor. */
  #compress(block: Buffer): Promise<Buffer> {
    const compressed = this.#lastBlock.then(async () => {
      const parts: Buffer[] = []
      const collect = (part: Buffer) => parts.push(part)
      this.#deflate.on('data', collect)
      await new Promise<void>((resolve) => this.#deflate.write(block, () => resolve()))
      this.#deflate.off('data', collect)
      return Buffer.concat(parts)
    })
    this.#lastBlock = compressed
    return compressed
  }

  #take(frame: SpdyFrame): void {
    if (frame.type === 'data') {
      const stream = this.#streams.get(frame.streamId)
      if (frame.payload.length > 0) stream?.push(frame.payload)
      if (frame.fin) stream?.push(null)
      return
    }
    const stream = this.#streams.get(frame.body.readUInt32BE(0))
    if (frame.kind === controlKind.synReply) stream?.emit('reply')
    if (frame.kind === controlKind.synReply && (frame.flags & finFlag) !== 0) stream?.push(null)
    if (frame.kind === controlKind.rstStream) stream?.destroy()
  }
}

export class SpdyStream extends Duplex {
  readonly id: number
  readonly #socket: Duplex

  constructor(id: number, socket: Duplex) {
    super()
    this.id = id
    this.#socket = socket
    this.on('error', () => undefined)
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#socket.write(dataHead(this.id, chunk.length))
    this.#socket.write(chunk, () => done())
  }

  override _final(done: () => void): void {
    this.#socket.write(dataHead(this.id, 0, true), () => done())
  }
}

/** A count, then names and values with their lengths before them. */
export function headerBlock(headers: Record<string, string>): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }
  const words = Object.entries(headers).flat()
  return Buffer.concat([
    number(words.length / 2),
    ...words.flatMap((word) => [number(Buffer.byteLength(word)), Buffer.from(word)]),
  ])
}

/** The upgrade alone: the response, and the socket where it was granted. */
export async function upgrade(
  url: string,
  protocols: string[],
): Promise<{ response: IncomingMessage; socket?: Duplex }> {
  const outgoing = request(url, {
    method: 'POST',
    headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocols },
  })
  outgoing.end()
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (response) => resolve({ response }))
    outgoing.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head)
      resolve({ response, socket })
    })
  })
}
