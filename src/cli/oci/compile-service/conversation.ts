import type { Socket } from 'node:net'
import { KeelsonError } from '../../../base/index.ts'

/** Frames of the service's socket (native/front/service.c): version, type, two bytes of nothing, length. */
const frameTypes = { request: 64, file: 65, plan: 66 } as const
const version = 1
const headerBytes = 8

/** What a front sends at most; one that says more is none. */
const largestBytes = { request: 1 << 19, file: 1 << 20 } as const

/** One front's socket: what it sends is read frame by frame, each of the kind and size that is due. */
export class Conversation implements Disposable {
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #wake: (() => void) | undefined
  #ended = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      if (this.#rest.length > largestBytes.file + headerBytes) socket.destroy()
      this.#wake?.()
    })
    const end = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('error', end).on('close', end).on('end', end)
  }

  /** INVALID_ARGUMENT for anything else than one frame of this kind; fails when the front goes away. */
  async receive(kind: keyof typeof largestBytes): Promise<Buffer> {
    for (;;) {
      const frame = takeFrame(this.#rest, kind)
      if (frame) {
        this.#rest = this.#rest.subarray(headerBytes + frame.length)
        return frame
      }
      if (this.#ended) throw new KeelsonError('UNAVAILABLE', 'the front went away')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  send(plan: Buffer): void {
    this.#socket.write(Buffer.concat([frameHeader('plan', plan.length), plan]))
  }

  /** What was sent is still delivered. */
  [Symbol.dispose](): void {
    this.#socket.end()
    this.#socket.destroySoon()
  }
}

export function frameHeader(kind: keyof typeof frameTypes, length: number): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt8(version, 0)
  header.writeUInt8(frameTypes[kind], 1)
  header.writeUInt32LE(length, 4)
  return header
}

/** Undefined while it is not all there. */
export function takeFrame(bytes: Buffer, kind: keyof typeof largestBytes): Buffer | undefined {
  if (bytes.length < headerBytes) return undefined
  const length = bytes.readUInt32LE(4)
  if (
    bytes.readUInt8(0) !== version ||
    bytes.readUInt8(1) !== frameTypes[kind] ||
    length > largestBytes[kind]
  )
    throw new KeelsonError('INVALID_ARGUMENT', `no frame of a ${kind}`)
  return bytes.length < headerBytes + length ? undefined : bytes.subarray(headerBytes, headerBytes + length)
}
