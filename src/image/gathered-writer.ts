import type { FileHandle } from 'node:fs/promises'

/** Chunks wait for the disk up to this much; then whoever brings them waits too. */
const maxWaitingBytes = 4 * 2 ** 20

/**
 * Writes chunks one after the other from a position on. What comes while a write is under way goes with the next
 * one, all at once: a download in small chunks costs few calls, and neither side waits for the other without need.
 */
export class GatheredWriter {
  readonly #file: FileHandle
  readonly #onGrow: ((bytes: number) => void) | undefined
  #position: number
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #failure: unknown

  constructor(file: FileHandle, position: number, onGrow?: (bytes: number) => void) {
    this.#file = file
    this.#position = position
    this.#onGrow = onGrow
  }

  /** Fails with what an earlier write failed with. */
  async add(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    this.#writing ??= this.#drain()
    if (this.#failure !== undefined || this.#waitingBytes > maxWaitingBytes) await this.end()
  }

  /** Everything is written. */
  async end(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && this.#failure === undefined) {
        const chunks = this.#waiting
        this.#waiting = []
        this.#waitingBytes = 0
        await this.#write(chunks)
        this.#onGrow?.(this.#position)
      }
    } catch (error) {
      this.#failure = error
    } finally {
      this.#writing = undefined
    }
  }

  /** A disk that is nearly full takes a part. */
  async #write(chunks: Uint8Array[]): Promise<void> {
    for (let left = chunks; left.length > 0; ) {
      const { bytesWritten } = await this.#file.writev(left, this.#position)
      this.#position += bytesWritten
      left = after(left, bytesWritten)
    }
  }
}

function after(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  let skip = written
  const left: Uint8Array[] = []
  for (const chunk of chunks) {
    if (chunk.length > skip) left.push(chunk.subarray(skip))
    skip = Math.max(0, skip - chunk.length)
  }
  return left
}
