import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../base/index.ts'
import { DigestMeter, splitDigest } from './digest.ts'

/** Names bytes by what they are (image-spec descriptor.md). */
export interface Blob {
  digest: string
  sizeBytes: number
}

export interface IngestOptions {
  /** Called once the file is there and before its first byte, for whoever reads along. Opened now, it stays readable. */
  onOpen?: (path: string) => Promise<void>
  /** How many bytes may be read by now. */
  onGrow?: (bytes: number) => void
  signal?: AbortSignal
}

/**
 * Blobs in files named by their digest. A blob appears under its name only after every byte was written and the
 * digest verified; what a crash leaves half-written lies in `ingest/`, which is emptied when the store is opened.
 */
export class ContentStore {
  readonly #blobs: string
  readonly #ingest: string
  readonly #removals = new Map<string, Promise<void>>()
  #sequence = 0

  private constructor(directory: string) {
    this.#blobs = join(directory, 'blobs')
    this.#ingest = join(directory, 'ingest')
  }

  static async open(directory: string): Promise<ContentStore> {
    const store = new ContentStore(directory)
    await rm(store.#ingest, { recursive: true, force: true })
    await mkdir(store.#ingest, { recursive: true, mode: 0o700 })
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
    const { algorithm } = splitDigest(blob.digest)
    await this.#write(algorithm, source, options, blob)
  }

  /** Stores bytes whose digest is not known beforehand. */
  async ingestUnknown(source: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<Blob> {
    return await this.#write('sha256', source, options)
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

  async #write(
    algorithm: string,
    source: AsyncIterable<Uint8Array>,
    options: IngestOptions,
    expected?: Blob,
  ): Promise<Blob> {
    const temporary = this.temporaryPath('blob')
    const meter = new DigestMeter(algorithm)
    try {
      const file = await open(temporary, 'wx', 0o600)
      try {
        await options.onOpen?.(temporary)
        for await (const chunk of source) {
          options.signal?.throwIfAborted()
          meter.update(chunk)
          if (expected && meter.bytes > expected.sizeBytes)
            refuseSize(expected, `more than ${expected.sizeBytes}`)
          await writeWhole(file, chunk)
          options.onGrow?.(meter.bytes)
        }
      } finally {
        await file.close()
      }
      const blob = { digest: meter.digest(), sizeBytes: meter.bytes }
      if (expected) {
        if (blob.sizeBytes !== expected.sizeBytes) refuseSize(expected, String(blob.sizeBytes))
        requireDigest(blob.digest, expected.digest, `blob ${expected.digest}`)
      }
      await rename(temporary, this.path(blob.digest))
      return blob
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw diskFull(error, this.#ingest) ?? asKeelsonError(error)
    }
  }
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

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
}

function refuseSize(expected: Blob, actual: string): never {
  throw new KeelsonError(
    'DATA_LOSS',
    `blob ${expected.digest}: wrong length: expected ${expected.sizeBytes} bytes, got ${actual}`,
  )
}
