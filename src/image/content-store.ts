import { constants, createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { abortable, asKeelsonError, hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import { spreadSubdirectories } from '../kernel/index.ts'
import { DigestMeter, splitDigest } from './digest.ts'
import { GatheredWriter } from './gathered-writer.ts'
import { isInterruption } from './interruption.ts'
import { removeLeftover } from './leftovers.ts'

/** Names bytes by what they are (image-spec descriptor.md). */
export interface Blob {
  digest: string
  sizeBytes: number
}

export interface IngestOptions {
  /** Called once the file is there and before its first new byte, for whoever reads along. Opened now, it stays readable. */
  onOpen?: (path: string) => Promise<void>
  /** How many bytes may be read by now. */
  onGrow?: (bytes: number) => void
  /** Called with its digest before the blob has its name, from when on a collector may find it. */
  onKnown?: (digest: string) => void
  signal?: AbortSignal
}

const readBytes = 256 * 1024
/** Fewer bytes of a download that broke off are not worth keeping. */
const leastPartialBytes = 2 ** 20
const partialName = /^partial-([0-9a-f-]+)-(sha256|sha512)-([a-f0-9]+)$/

/**
 * Blobs in files named by their digest. A blob appears under its name only after every byte was written and the
 * digest verified. What is half-written lies in `ingest/`: of a download that broke off, by `partial-BOOT-DIGEST`, so
 * that it can go on also after a crash; after a power cut nobody knows what of it reached the disk, and everything
 * else there is nobody's, so the store removes those when it is opened.
 */
export class ContentStore {
  readonly #blobs: string
  readonly #ingest: string
  readonly #boot: string
  readonly #removals = new Map<string, Promise<void>>()
  /** Downloads that are being written, by their digest; settled when their file is renamed, kept or gone. */
  readonly #resumed = new Map<string, Promise<void>>()
  #sequence = 0

  private constructor(directory: string, boot: string) {
    this.#blobs = join(directory, 'blobs')
    this.#ingest = join(directory, 'ingest')
    this.#boot = boot
  }

  /** `boot` is the boot id of the running kernel. */
  static async open(directory: string, boot: string, log: Logger): Promise<ContentStore> {
    const store = new ContentStore(directory, boot)
    await mkdir(store.#ingest, { recursive: true, mode: 0o700 })
    spreadSubdirectories(store.#ingest)
    for (const name of await readdir(store.#ingest)) {
      const path = join(store.#ingest, name)
      const mayGoOn = partialName.exec(name)?.[1] === boot && (await stat(path)).size >= leastPartialBytes
      if (!mayGoOn) await removeLeftover(path, log)
    }
    for (const algorithm of ['sha256', 'sha512'])
      await mkdir(join(store.#blobs, algorithm), { recursive: true, mode: 0o700 })
    return store
  }

  path(digest: string): string {
    const { algorithm, hex } = splitDigest(digest)
    return join(this.#blobs, algorithm, hex)
  }

  async has(digest: string): Promise<boolean> {
    return (await this.size(digest)) !== undefined
  }

  /** Bytes of a blob; undefined when it is not here. */
  async size(digest: string): Promise<number | undefined> {
    await this.#removals.get(digest) // else a blob would be seen that is on its way out
    try {
      return (await stat(this.path(digest))).size
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined
      throw asKeelsonError(error)
    }
  }

  /** A small blob whole. NOT_FOUND; DATA_LOSS when the file no longer is what its name says. */
  async read(digest: string): Promise<Buffer> {
    const path = this.path(digest)
    const bytes = await readFile(path).catch((error) => {
      throw asKeelsonError(error, { path })
    })
    const meter = new DigestMeter(splitDigest(digest).algorithm)
    meter.update(bytes)
    requireDigest(meter.digest(), digest, `the stored blob ${path}`)
    return bytes
  }

  /** Stores what `source` yields. DATA_LOSS unless it is exactly this blob; RESOURCE_EXHAUSTED on a full disk. */
  async ingest(blob: Blob, source: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<void> {
    await this.#whole(splitDigest(blob.digest).algorithm, source, options, blob)
  }

  /**
   * Like ingest, but what a broken download left of this blob is kept and made use of: `open` yields the bytes from
   * an offset on. One at a time for each blob: whoever comes while another is at it, perhaps giving up, waits, and
   * has nothing left to do if that one was successful.
   */
  async resume(
    blob: Blob,
    open: (offset: number) => AsyncIterable<Uint8Array>,
    options: IngestOptions = {},
  ): Promise<void> {
    for (let other = this.#resumed.get(blob.digest); other; other = this.#resumed.get(blob.digest)) {
      await abortable(other, options.signal)
      if (await this.has(blob.digest)) return
    }
    const running = this.#resume(blob, open, options)
    const over = () => void this.#resumed.delete(blob.digest)
    this.#resumed.set(blob.digest, running.then(over, over))
    await running
  }

  async #resume(
    blob: Blob,
    open: (offset: number) => AsyncIterable<Uint8Array>,
    options: IngestOptions,
  ): Promise<void> {
    const { algorithm, hex } = splitDigest(blob.digest)
    const path = join(this.#ingest, `partial-${this.#boot}-${algorithm}-${hex}`)
    const write = async (file: FileHandle, meter: DigestMeter) => {
      await recall(file, meter, blob.sizeBytes)
      await options.onOpen?.(path)
      options.onGrow?.(meter.bytes)
      if (meter.bytes < blob.sizeBytes || meter.bytes === 0)
        await append(file, meter, open(meter.bytes), options, blob)
    }
    await this.#write({ path, algorithm, write, expected: blob, mayGoOn: true })
  }

  /** Stores bytes whose digest is not known beforehand. */
  async ingestUnknown(source: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Blob> {
    return await this.#whole('sha256', source, options)
  }

  /** Reads a blob from its first to its last byte. NOT_FOUND. */
  async verify(digest: string, signal?: AbortSignal): Promise<{ sizeBytes: number; isWhole: boolean }> {
    const meter = new DigestMeter(splitDigest(digest).algorithm)
    const path = this.path(digest)
    try {
      for await (const chunk of createReadStream(path, {
        highWaterMark: readBytes,
        ...(signal && { signal }),
      }))
        meter.update(chunk as Buffer)
    } catch (error) {
      throw asKeelsonError(error, { path })
    }
    return { sizeBytes: meter.bytes, isWhole: meter.digest() === digest }
  }

  /** Downloads that run, or broke off and may go on. */
  async partials(): Promise<string[]> {
    const found = (await readdir(this.#ingest)).map((name) => partialName.exec(name) ?? [])
    return found.flatMap(([, , algorithm, hex]) => (algorithm === undefined ? [] : [`${algorithm}:${hex}`]))
  }

  /** Nobody will go on with it. */
  async removePartial(digest: string): Promise<void> {
    const { algorithm, hex } = splitDigest(digest)
    await rm(join(this.#ingest, `partial-${this.#boot}-${algorithm}-${hex}`), { force: true })
  }

  async remove(digest: string): Promise<void> {
    const removal = unlink(this.path(digest)).catch((error) => {
      if (!hasErrno(error, 'ENOENT')) throw asKeelsonError(error)
    })
    this.#removals.set(digest, removal)
    try {
      await removal
    } finally {
      this.#removals.delete(digest)
    }
  }

  async list(): Promise<string[]> {
    const found: string[] = []
    for (const algorithm of ['sha256', 'sha512'])
      for (const hex of await readdir(join(this.#blobs, algorithm))) found.push(`${algorithm}:${hex}`)
    return found
  }

  /** A name in `ingest/` that nobody else uses, on the same file system as everything else here. */
  temporaryPath(kind: string): string {
    return join(this.#ingest, `${kind}-${this.#sequence++}`)
  }

  async #whole(
    algorithm: string,
    source: AsyncIterable<Uint8Array>,
    options: IngestOptions,
    expected?: Blob,
  ): Promise<Blob> {
    const path = this.temporaryPath('blob')
    const write = async (file: FileHandle, meter: DigestMeter) => {
      await options.onOpen?.(path)
      await append(file, meter, source, options, expected)
    }
    const { onKnown } = options
    return await this.#write({
      path,
      algorithm,
      write,
      ...(expected && { expected }),
      ...(onKnown && { onKnown }),
    })
  }

  async #write({ path, algorithm, write, expected, onKnown, mayGoOn = false }: Writing): Promise<Blob> {
    const meter = new DigestMeter(algorithm)
    try {
      const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
      try {
        await write(file, meter)
      } finally {
        await file.close()
      }
      const blob = { digest: meter.digest(), sizeBytes: meter.bytes }
      if (expected && blob.sizeBytes !== expected.sizeBytes) refuseSize(expected, String(blob.sizeBytes))
      if (expected) requireDigest(blob.digest, expected.digest, `blob ${expected.digest}`)
      onKnown?.(blob.digest)
      await this.#removals.get(blob.digest) // else it would take this one
      await rename(path, this.path(blob.digest))
      return blob
    } catch (error) {
      const keep = mayGoOn && meter.bytes >= leastPartialBytes && isInterruption(error)
      if (!keep) await unlink(path).catch(() => undefined)
      throw diskFull(error, this.#ingest) ?? asKeelsonError(error)
    }
  }
}

interface Writing {
  path: string
  algorithm: string
  write: (file: FileHandle, meter: DigestMeter) => Promise<void>
  expected?: Blob
  onKnown?: (digest: string) => void
  /** What was written when it is interrupted is of use later. */
  mayGoOn?: boolean
}

/** Takes in what the file holds already. */
async function recall(file: FileHandle, meter: DigestMeter, maxBytes: number): Promise<void> {
  const { size } = await file.stat()
  if (size > maxBytes) return await file.truncate(0)
  const chunk = Buffer.allocUnsafe(readBytes)
  while (meter.bytes < size) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, meter.bytes)
    if (bytesRead === 0) break
    meter.update(chunk.subarray(0, bytesRead))
  }
}

async function append(
  file: FileHandle,
  meter: DigestMeter,
  source: AsyncIterable<Uint8Array>,
  { signal, onGrow }: IngestOptions,
  expected: Blob | undefined,
): Promise<void> {
  const writer = new GatheredWriter(file, meter.bytes, onGrow)
  try {
    for await (const chunk of source) {
      signal?.throwIfAborted()
      meter.update(chunk)
      if (expected && meter.bytes > expected.sizeBytes)
        refuseSize(expected, `more than ${expected.sizeBytes}`)
      await writer.add(chunk)
    }
  } catch (error) {
    await writer.end().catch(() => undefined) // the source's failure, or this one already
    throw error
  }
  await writer.end()
}

/** DATA_LOSS that names the thing and both digests, unless they are equal. */
export function requireDigest(actual: string, expected: string, what: string): void {
  if (actual === expected) return
  throw new KeelsonError('DATA_LOSS', `${what}: digest mismatch: expected ${expected}, got ${actual}`, {
    hint: 'the registry or the network delivers damaged data: push the image again or use another mirror',
  })
}

/** Our words for a write that found no room; undefined for any other failure. */
export function diskFull(error: unknown, directory: string): KeelsonError | undefined {
  if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return undefined
  return new KeelsonError('RESOURCE_EXHAUSTED', `no space left on the disk of ${directory}`, {
    path: directory,
    hint: 'remove images that are not needed or make the disk larger, then try again',
    cause: error,
  })
}

/** DATA_LOSS: what came is not as long as it should be. */
export function refuseSize(expected: Blob, actual: string): never {
  throw new KeelsonError(
    'DATA_LOSS',
    `blob ${expected.digest}: wrong length: expected ${expected.sizeBytes} bytes, got ${actual}`,
  )
}
