import { native } from './native.ts'

interface Decoder {
  readonly zstdDecoder: unique symbol
}

declare module './native.ts' {
  interface Native {
    zstdOpen(): Decoder
    zstdStep(
      decoder: Decoder,
      input: Uint8Array,
      output: Uint8Array,
    ): { consumed: number; produced: number; frameEnded: boolean }
  }
}

const outputBytes = 256 * 1024

/**
 * Decompresses zstd with the host's libzstd; ENOSYS (SyscallError) where it has none. Computes on the calling thread.
 * Any number of frames, one after the other, are one stream.
 */
export class ZstdDecoder {
  readonly #decoder = native.zstdOpen()
  #isWhole = true

  /** Whether the input so far ended with a frame's end. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** What these bytes complete. EBADMSG when they are no zstd. */
  *decode(input: Buffer): Iterable<Buffer> {
    for (let rest = input; ; ) {
      const output = Buffer.allocUnsafeSlow(outputBytes)
      const { consumed, produced, frameEnded } = native.zstdStep(this.#decoder, rest, output)
      if (consumed > 0 || produced > 0) this.#isWhole = frameEnded
      rest = rest.subarray(consumed)
      if (produced > 0) yield output.subarray(0, produced)
      // A full output may have left some inside, also when no input is left.
      if (rest.length === 0 && produced < outputBytes) return
    }
  }
}
