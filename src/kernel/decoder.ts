import { native } from './native.ts'

interface NativeDecoder {
  readonly nativeDecoder: unique symbol
}

export type CompressionFormat = 'gzip' | 'zstd'

declare module './native.ts' {
  interface Native {
    decoderOpen(format: CompressionFormat): NativeDecoder
    decoderStep(
      decoder: NativeDecoder,
      input: Uint8Array,
      output: Uint8Array,
    ): { consumed: number; produced: number; ended: boolean }
  }
}

const outputBytes = 256 * 1024
/** A step into less room is not worth its call. */
const leastRoomBytes = 32 * 1024

/**
 * Decompresses on the calling thread: gzip with the zlib of this process, zstd with the host's libzstd. ENOSYS
 * (SyscallError) where there is none. Any number of members or frames, one after the other, are one stream.
 */
export class Decoder {
  readonly #decoder: NativeDecoder
  #isWhole = true
  /** Room for what comes next; what was yielded lies before it. */
  #room: Buffer = Buffer.alloc(0)

  constructor(format: CompressionFormat) {
    this.#decoder = native.decoderOpen(format)
  }

  /** Whether the stream may end after the input so far. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** What these bytes complete. EBADMSG when they are not of the format. */
  *decode(input: Buffer): Iterable<Buffer> {
    for (let rest = input; ; ) {
      if (this.#room.length < leastRoomBytes) this.#room = Buffer.allocUnsafeSlow(outputBytes)
      const room = this.#room
      const { consumed, produced, ended } = native.decoderStep(this.#decoder, rest, room)
      if (consumed > 0 || produced > 0) this.#isWhole = ended
      rest = rest.subarray(consumed)
      this.#room = room.subarray(produced)
      if (produced > 0) yield room.subarray(0, produced)
      // A full output may have left some inside, also when no input is left.
      if (rest.length === 0 && produced < room.length) return
    }
  }
}
