import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LineSplitter, type LogLine, parseLogLine } from './log-line.ts'

/** v1 PodLogOptions, as far as the reader is concerned. */
export interface LogOptions {
  follow: boolean
  timestamps: boolean
  /** Entries older than this (ms since the epoch) are left out. */
  sinceMs: number | undefined
  tailLines: number | undefined
  limitBytes: number | undefined
  stream: 'stdout' | 'stderr' | undefined
}

export interface LogSource {
  /** The container's log file. */
  path: string
  /** Whether the container can still write to it. */
  isRunning(): Promise<boolean>
  /** Calls back when that may have changed; returns how to stop it. */
  onChange(callback: () => void): () => void
}

const chunkBytes = 64 * 1024

/**
 * The contents of a container's log as the client sees them. With `follow` it goes on until the container ended and
 * all it wrote was read, also through rotation: when another file stands under the name, the old one is read to its
 * end first. It costs one watch on the folder, and only while somebody follows.
 */
export async function* readLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  const limit = new ByteLimit(options.limitBytes)
  const news = options.follow ? new News(source, signal) : undefined
  let file = await LogFile.open(source.path, options.tailLines)
  try {
    while (!signal.aborted) {
      // Asked before the reading, so that what a container wrote last is read although it ended meanwhile.
      const last = !news || !(await source.isRunning())
      for await (const line of file?.lines() ?? []) {
        const text = limit.cut(render(parseLogLine(line), options))
        if (text.length > 0) yield text
        if (limit.spent || signal.aborted) return
      }
      if (news && (await isReplaced(file, source.path))) {
        await file?.close()
        file = await LogFile.open(source.path, undefined)
      } else if (last) {
        return
      } else {
        await news.wait()
      }
    }
  } finally {
    news?.close()
    await file?.close()
  }
}

/** An open log file, read on from where the last reading ended. */
class LogFile {
  readonly #handle: FileHandle
  readonly #splitter = new LineSplitter()
  #position: number

  private constructor(handle: FileHandle, position: number) {
    this.#handle = handle
    this.#position = position
  }

  static async open(path: string, tailLines: number | undefined): Promise<LogFile | undefined> {
    const handle = await open(path, 'r').catch(() => undefined)
    if (!handle) return undefined
    return new LogFile(handle, tailLines === undefined ? 0 : await tailStart(handle, tailLines))
  }

  async *lines(): AsyncIterable<Buffer> {
    for (;;) {
      const chunk = Buffer.alloc(chunkBytes)
      const { bytesRead } = await this.#handle.read(chunk, 0, chunkBytes, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      yield* this.#splitter.push(chunk.subarray(0, bytesRead))
    }
  }

  async inode(): Promise<number> {
    return (await this.#handle.stat()).ino
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

async function isReplaced(file: LogFile | undefined, path: string): Promise<boolean> {
  const now = await stat(path).catch(() => undefined)
  return now !== undefined && now.ino !== (await file?.inode())
}

/** Where the last `lines` entries begin: found backwards, so that a long log is not read for a short end. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines <= 0) return size
  let left = lines
  for (let end = size; end > 0; end -= chunkBytes) {
    const start = Math.max(0, end - chunkBytes)
    const chunk = Buffer.alloc(end - start)
    await file.read(chunk, 0, chunk.length, start)
    for (let at = chunk.lastIndexOf(0x0a); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(0x0a, at - 1)) {
      // The newline that ends the file begins no entry.
      if (start + at === size - 1) continue
      if (--left === 0) return start + at + 1
    }
  }
  return 0
}

function render(line: LogLine | undefined, options: LogOptions): Buffer {
  if (!line) return Buffer.alloc(0)
  if (options.stream !== undefined && line.stream !== options.stream) return Buffer.alloc(0)
  if (options.sinceMs !== undefined && Date.parse(line.time) < options.sinceMs) return Buffer.alloc(0)
  const prefix = options.timestamps ? Buffer.from(`${line.time} `) : Buffer.alloc(0)
  return Buffer.concat([prefix, line.content, Buffer.from(line.partial ? '' : '\n')])
}

class ByteLimit {
  #left: number

  constructor(bytes: number | undefined) {
    this.#left = bytes ?? Number.POSITIVE_INFINITY
  }

  get spent(): boolean {
    return this.#left <= 0
  }

  cut(text: Buffer): Buffer {
    const cut = text.length > this.#left ? text.subarray(0, this.#left) : text
    this.#left -= cut.length
    return cut
  }
}

/** Wakes a follower when the folder of the log changed or the container may have ended. */
class News {
  readonly #watcher: FSWatcher | undefined
  readonly #forget: () => void
  #fresh = false
  #wake: (() => void) | undefined

  constructor(source: LogSource, signal: AbortSignal) {
    const tell = () => {
      this.#fresh = true
      this.#wake?.()
    }
    this.#watcher = watch(dirname(source.path), tell)
    this.#watcher.on('error', tell)
    const forget = source.onChange(tell)
    signal.addEventListener('abort', tell, { once: true })
    this.#forget = () => {
      forget()
      signal.removeEventListener('abort', tell)
    }
  }

  async wait(): Promise<void> {
    if (!this.#fresh)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#fresh = false
  }

  close(): void {
    this.#watcher?.close()
    this.#forget()
  }
}
