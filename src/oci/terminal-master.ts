import { readSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { ReadStream } from 'node:tty'
import { setWindowSize } from '../kernel/index.ts'
import type { TerminalSize } from './runtime.ts'

const chunkBytes = 64 * 1024

/**
 * A pty's master as a stream, of which nothing is lost. libuv takes a hang-up that comes together with a short read
 * for the end; yet what was written last may reach the master's buffer after that, so it is fetched before ours ends.
 * EIO means that the last process on the terminal is gone (pty(7) leaves it to the driver), which is an ordinary end.
 */
export class TerminalMaster extends Duplex {
  readonly #tty: ReadStream
  readonly #fd: number

  /** Takes over the descriptor. */
  constructor(fd: number) {
    super({ allowHalfOpen: true })
    this.#fd = fd
    this.#tty = new ReadStream(fd) // a pty master reads and writes
    this.#tty.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#tty.pause()
    })
    this.#tty.on('end', () => {
      // Its handle is still open here.
      for (const chunk of remaining(fd)) this.push(chunk)
      this.push(null)
    })
    this.#tty.on('error', () => {
      this.push(null)
      this.#tty.destroy()
    })
    this.#tty.on('close', () => this.destroy())
  }

  /** Nothing where it is closed already: its number may be another descriptor's by now. */
  resize(size: TerminalSize): void {
    if (!this.#tty.destroyed) setWindowSize(this.#fd, size)
  }

  override _read(): void {
    this.#tty.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#tty.write(chunk, () => done()) // who writes to a terminal that is gone is not told
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#tty.destroy()
    done(error)
  }
}

/** What can be read at once; the descriptor does not block. */
function* remaining(fd: number): Generator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(chunkBytes)
    let count = 0
    try {
      count = readSync(fd, buffer)
    } catch {
      return // EIO or EAGAIN
    }
    if (count === 0) return
    yield buffer.subarray(0, count)
  }
}
