import { randomBytes } from 'node:crypto'
import { chmod, type FileHandle, mkdir, open, readdir, rename, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup, type Clock, hasCode, hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import { adoptAttributes, removeTree, treeUsage } from '../kernel/index.ts'
import { type Blob, type ContentStore, diskFull } from './content-store.ts'
import { removeLeftover } from './leftovers.ts'
import type { LayerRecord } from './records.ts'
import { SharedWork } from './shared-work.ts'
import { Slots } from './slots.ts'
import type { Unpacked } from './unpack/layer.ts'
import { defaultUnpackLimits, type UnpackLimits } from './unpack/limits.ts'
import { type Unpacking, UnpackPool } from './unpack/pool.ts'

/** A blob with what its manifest says of it. */
export interface NamedBlob extends Blob {
  mediaType?: string
  urls?: readonly string[]
}

/** Where the bytes of a blob come from when it is not in the store. */
export interface BlobSource {
  /** Those from `offset` on. */
  blob(blob: NamedBlob, options: { signal: AbortSignal; offset: number }): AsyncIterable<Buffer>
}

export interface LayerRequest {
  blob: NamedBlob
  diffId: string
  /** Names the layer together with all below it (image-spec config.md, "Layer ChainID"). */
  chainId: string
  source: BlobSource
  /** The directories below, topmost first, as soon as they are there; undefined for the lowest layer. */
  below: Promise<string[]> | undefined
  onBytes?: (bytes: number) => void
  signal: AbortSignal
}

const parallelLayers = 4
/** No archive may have all of the disk: what else the node does needs some. */
const shareOfFree = 0.9

/**
 * Makes layer directories: download, verify, decompress and unpack run side by side, layers in parallel and in any
 * order. A directory gets its name in `layers/` only after blob digest and diff id were found right.
 */
export class LayerStore implements AsyncDisposable {
  readonly #content: ContentStore
  readonly #directory: string
  readonly #log: Logger
  readonly #pool: UnpackPool
  readonly #limits: UnpackLimits
  readonly #blobs = new SharedWork<void>()
  readonly #layers = new SharedWork<LayerRecord>()
  readonly #slots: Slots
  /** Every directory in `layers/` by the key of its record, recorded already or not yet. */
  readonly #made = new Map<string, LayerRecord>()

  constructor(options: {
    content: ContentStore
    directory: string
    log: Logger
    clock: Clock
    limits?: UnpackLimits | undefined
    /** How many are made at a time; default 4. */
    parallelLayers?: number | undefined
  }) {
    this.#content = options.content
    this.#directory = join(options.directory, 'layers')
    this.#log = options.log
    this.#pool = new UnpackPool(options.clock)
    this.#limits = options.limits ?? defaultUnpackLimits
    this.#slots = new Slots(options.parallelLayers ?? parallelLayers)
  }

  /** Takes over the recorded layers and removes every other directory. */
  async adopt(records: Iterable<LayerRecord>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    for (const record of records) this.#made.set(record.key, record)
    const known = new Set([...this.#made.values()].map(({ directory }) => directory))
    for (const name of await readdir(this.#directory))
      if (!known.has(name)) await removeLeftover(join(this.#directory, name), this.#log)
  }

  /**
   * By its diff id a layer is the same for every image, unless its archive leaves the looks of directories to the
   * layers below: made as the lowest one (whose chain id is its diff id), it has none of those to look like.
   */
  find(diffId: string, chainId: string): LayerRecord | undefined {
    const alike = this.#made.get(diffId)
    return alike && !alike.impliesDirectories ? alike : this.#made.get(chainId)
  }

  list(): LayerRecord[] {
    return [...this.#made.values()]
  }

  path(record: LayerRecord): string {
    return join(this.#directory, record.directory)
  }

  /** A layer that nobody else makes at the moment is made; otherwise this waits for it. */
  async make(request: LayerRequest): Promise<LayerRecord> {
    const start = (signal: AbortSignal) => this.#make({ ...request, signal })
    return await this.#layers.run(request.chainId, start, request.signal)
  }

  /** The blob, from here or from its source: true when it was not here before. */
  async fetch(blob: NamedBlob, source: BlobSource, signal: AbortSignal, along: Along = {}): Promise<boolean> {
    if (await this.#content.has(blob.digest)) return false
    await this.#blobs.run(
      blob.digest,
      async (shared) => {
        const open = (offset: number) => source.blob(blob, { signal: shared, offset })
        await this.#content.resume(blob, open, { ...along, signal: shared })
      },
      signal,
    )
    return true
  }

  /** Unpacks an image archive (not a layer) into a directory. */
  unpackArchive(file: FileHandle, directory: string, signal?: AbortSignal): Promise<void> {
    return this.#unpackFile('archive', file, directory, signal)
  }

  /** Unpacks a layer archive that is no layer of an image: what a container wrote. */
  unpackChanges(file: FileHandle, directory: string, signal?: AbortSignal): Promise<void> {
    return this.#unpackFile('layer', file, directory, signal)
  }

  async #unpackFile(
    kind: 'archive' | 'layer',
    file: FileHandle,
    directory: string,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted()
    const { size } = await file.stat()
    const unpacking = this.#pool.start({
      kind,
      fd: file.fd,
      directory,
      limits: await this.#limitsNow(),
    })
    using _abort = abortWith(unpacking, signal)
    unpacking.grown(size, true)
    try {
      await unpacking.result
    } catch (error) {
      throw diskFull(error, directory) ?? error
    }
  }

  /** What is configured, and no more than the disk has room for: a bomb ends before it has filled the disk. */
  async #limitsNow(): Promise<UnpackLimits> {
    const { bavail, bsize, ffree, files } = await statfs(this.#directory)
    const inodes = files === 0 ? Number.POSITIVE_INFINITY : ffree // some file systems count none
    return {
      ...this.#limits,
      maxBytes: Math.min(this.#limits.maxBytes, Math.floor(bavail * bsize * shareOfFree)),
      maxEntries: Math.min(this.#limits.maxEntries, Math.floor(inodes * shareOfFree)),
    }
  }

  /** From now on nobody finds this layer; whoever needs it again makes it anew. */
  forget(record: LayerRecord): void {
    this.#made.delete(record.key)
  }

  /** Deletes the directory of a forgotten layer. */
  async remove(record: LayerRecord): Promise<void> {
    await removeTree(this.path(record))
  }

  /** Waits for what is being made. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#layers.idle()
    await this.#blobs.idle()
    await this.#pool[Symbol.asyncDispose]()
  }

  async #make(request: LayerRequest): Promise<LayerRecord> {
    await using undo = new Cleanup()
    const staging = this.#content.temporaryPath('layer')
    await mkdir(staging)
    await chmod(staging, 0o755)
    undo.defer(() => removeTree(staging))
    const unpacked = await this.#slots.run(() => this.#download(request, staging), request.signal)
    if (unpacked.diffId !== request.diffId)
      throw new KeelsonError(
        'DATA_LOSS',
        `layer ${request.blob.digest}: digest mismatch of the uncompressed layer: expected ${request.diffId}, got ${unpacked.diffId}`,
      )
    this.#tellIgnored(request, unpacked)
    const adopted = await this.#adoptParents(unpacked, staging, request.below)
    const usage = await treeUsage(staging)
    const key = adopted ? request.chainId : request.diffId
    const twin = this.#made.get(key)
    if (twin) return twin // made meanwhile for an image with other layers below
    const directory = `${key.slice(key.indexOf(':') + 1).slice(0, 24)}-${randomBytes(4).toString('hex')}`
    const record = {
      ...{ key, diffId: request.diffId, directory, describesRoot: unpacked.describesRoot, ...usage },
      impliesDirectories: unpacked.impliedDirectories.length > 0,
    }
    this.#made.set(key, record)
    try {
      await rename(staging, this.path(record))
    } catch (error) {
      this.#made.delete(key)
      throw error
    }
    undo.keep()
    return record
  }

  /** Directories that the archive needs but does not describe look as they do in the layers below. */
  async #adoptParents(
    unpacked: Unpacked,
    staging: string,
    below: Promise<string[]> | undefined,
  ): Promise<boolean> {
    if (unpacked.impliedDirectories.length === 0 || below === undefined) return false
    const layers = await below
    for (const path of unpacked.impliedDirectories)
      await adoptAttributes(layers, staging, Buffer.from(path, 'latin1')).catch((error) => {
        // A later member of the archive put something else there.
        if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
      })
    return true
  }

  /** Both run at once; a wrong blob digest explains a failed unpack, so it is what gets told. */
  async #download(request: LayerRequest, staging: string): Promise<Unpacked> {
    await using undo = new Cleanup()
    const stop = new AbortController()
    const signal = AbortSignal.any([request.signal, stop.signal])
    let unpacking: Unpacking | undefined
    const begin = async (path: string): Promise<Unpacking> => {
      const file = await open(path, 'r')
      undo.defer(() => file.close())
      const started = this.#pool.start({
        kind: 'layer',
        fd: file.fd,
        directory: staging,
        limits: await this.#limitsNow(),
      })
      undo.defer(async () => {
        started.abort()
        await started.result.catch(() => undefined)
      })
      started.result.catch((error) => hasCode(error, 'RESOURCE_EXHAUSTED') && stop.abort(error))
      unpacking = started
      return started
    }
    await this.fetch(request.blob, request.source, signal, {
      onOpen: async (path) => void (await begin(path)),
      onGrow: (bytes) => {
        unpacking?.grown(bytes, false)
        request.onBytes?.(bytes)
      },
    }).catch((error) => {
      throw stop.signal.aborted ? stop.signal.reason : error
    })
    const running = unpacking ?? (await begin(this.#content.path(request.blob.digest)))
    running.grown(request.blob.sizeBytes, true)
    using _abort = abortWith(running, request.signal)
    return await running.result.catch((error) => {
      throw diskFull(error, staging) ?? atLayer(error, request.blob)
    })
  }

  #tellIgnored({ blob }: LayerRequest, { ignoredDevices, ignoredXattrs }: Unpacked): void {
    if (ignoredDevices + ignoredXattrs === 0) return
    this.#log.warn('left out what images may not bring', {
      layer: blob.digest,
      ignoredDevices,
      ignoredXattrs,
    })
  }
}

interface Along {
  onOpen?: (path: string) => Promise<void>
  onGrow?: (bytes: number) => void
}

/** Also where the signal came before. */
function abortWith(unpacking: Unpacking, signal: AbortSignal | undefined): Disposable {
  const abort = () => unpacking.abort()
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', abort) }
}

function atLayer(error: unknown, { digest }: Blob): unknown {
  if (!(error instanceof KeelsonError)) return error
  return new KeelsonError(error.code, `layer ${digest}: ${error.message}`, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  })
}
