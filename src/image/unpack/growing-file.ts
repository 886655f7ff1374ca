import { readSync } from 'node:fs'

const chunkBytes = 256 * 1024

/**
 * Reads a file that another thread is still writing, no further than it was told (`grown`). Reads are from the page
 * cache, hence synchronous: the thread has nothing else to do.
 */
export class GrowingFile {
  readonly #fd: number
  readonly #heed: () => void
  #position = 0
  #available = 0
  #complete = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  /** The descriptor stays the caller's. `heed` tells what it has heard: with bytes at hand there is no turn of the loop. */
  constructor(fd: number, heed: () => void) {
    this.#fd = fd
    this.#heed = heed
  }

  grown(bytes: number, complete: boolean): void {
    this.#available = Math.max(this.#available, bytes)
    this.#complete ||= complete
    this.#wake?.()
  }

  abort(reason: Error): void {
    this.#failure = reason
    this.#wake?.()
  }

  async *chunks(): AsyncIterable<Buffer> {
    for (;;) {
      this.#heed()
      if (this.#failure) throw this.#failure
      const length = Math.min(chunkBytes, this.#available - this.#position)
      if (length > 0) yield this.#read(length)
      else if (this.#complete) return
      else await this.#change()
    }
  }

  #read(length: number): Buffer {
    const chunk = Buffer.allocUnsafe(length)
    const got = readSync(this.#fd, chunk, 0, length, this.#position)
    if (got === 0) throw new Error('the file is shorter than it was said to be')
    this.#position += got
    return chunk.subarray(0, got)
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }
}
