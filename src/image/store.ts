import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asKeelsonError,
  bootId,
  Cleanup,
  type Clock,
  hasErrno,
  isAbort,
  KeelsonError,
  type Logger,
} from '../base/index.ts'
import { FileLock, readLayeredFile } from '../kernel/index.ts'
import { openLedger } from '../ledger/index.ts'
import { ContentStore } from './content-store.ts'
import { dropUntrusted, Settler } from './durability.ts'
import { checkStore } from './fsck.ts'
import type {
  Credentials,
  FilesystemUsage,
  Image,
  ImageStore,
  PullOptions,
  Pushed,
  PushOptions,
  Referrer,
  ReferrersOptions,
  StoreCheck,
} from './image-store.ts'
import type { InstallContext } from './install.ts'
import { LayerStore } from './layer-store.ts'
import { loadImages } from './load/load.ts'
import { findImage, targetName } from './names.ts'
import { Pins } from './pins.ts'
import { ownPlatform, type Platform } from './platform.ts'
import { pullImage } from './pull.ts'
import { pushImage } from './push.ts'
import { type Change, Records } from './records.ts'
import { listReferrers } from './referrers.ts'
import { RegistryClient } from './registry/client.ts'
import type { RegistryTimeouts } from './registry/connection.ts'
import type { Mirrors } from './registry/mirrors.ts'
import { layerRecords, Snapshots } from './snapshots.ts'

export interface ImageStoreOptions {
  /** The store lives in `image/` below it, all on one file system that can carry an overlay's upper directory. */
  dataDirectory: string
  mirrors?: Mirrors
  /** Asked where a pull or push brings none of its own. */
  credentials?: Credentials
  /** How long a registry may take; the defaults are for the slow ones. */
  registryTimeouts?: RegistryTimeouts
  log: Logger
  clock: Clock
  /** Opens what records are kept in; for tests that fail in it. */
  openLedger?: typeof openLedger
  /** Which image of an index to take; default: linux on this processor. */
  platform?: Platform
}

const defaultReadBytes = 2 ** 20

/**
 * Opens the image store of a data directory. It has one owner at a time: FAILED_PRECONDITION while another process
 * has it open. What a crash left unfinished is removed.
 */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const directory = join(options.dataDirectory, 'image')
  await using undo = new Cleanup()
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error) => {
    throw asKeelsonError(error, { op: 'open image store', path: directory })
  })
  const lock = await undo.use(takeLock(directory))
  const open = options.openLedger ?? openLedger
  const records = await undo.use(new Records(await open({ path: join(directory, 'metadata') })))
  const boot = bootId()
  const content = await ContentStore.open(directory, boot)
  const { log, clock } = options
  const layers = await undo.use(new LayerStore({ content, directory, log, clock }))
  const { credentials = async () => undefined } = options
  const registry = await undo.use(
    new RegistryClient({
      mirrors: options.mirrors ?? {},
      log,
      clock,
      ...(options.registryTimeouts && { timeouts: options.registryTimeouts }),
    }),
  )
  const platform = options.platform ?? ownPlatform()
  const settler = await undo.use(new Settler({ records, directory, clock, log }))
  const store = new FileImageStore({
    directory,
    lock,
    records,
    content,
    layers,
    registry,
    credentials,
    platform,
    boot,
    settler,
  })
  await dropUntrusted(records, boot, log)
  settler.request() // for what an earlier process of this boot did not get to flush
  await store.sweep()
  undo.keep()
  return store
}

interface Parts {
  directory: string
  lock: FileLock
  records: Records
  content: ContentStore
  layers: LayerStore
  registry: RegistryClient
  credentials: Credentials
  platform: Platform
  boot: string
  settler: Settler
}

class FileImageStore implements ImageStore {
  readonly snapshots: Snapshots
  readonly #parts: Parts
  readonly #pins = new Pins()
  readonly #running = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(parts: Parts) {
    this.#parts = parts
    const { records, layers, directory, content } = parts
    this.snapshots = new Snapshots({
      records,
      layers,
      directory,
      temporaryPath: () => content.temporaryPath('snapshot'),
      pin: (names) => this.#pins.pin(names),
      released: () => this.#collect(),
    })
  }

  async pull(reference: string, options: PullOptions = {}): Promise<Image> {
    return await this.#work(options.signal, (signal) =>
      pullImage(this.#context(), reference, options, signal),
    )
  }

  async push(nameOrId: string, options: PushOptions = {}): Promise<Pushed> {
    const record = this.#parts.records.images.get(this.get(nameOrId).id)
    if (!record) throw new KeelsonError('NOT_FOUND', `image ${nameOrId} is not here`, { id: nameOrId })
    using _blobs = this.#pins.pin(record.blobs)
    return await this.#work(options.signal, (signal) =>
      pushImage(this.#parts, record, targetName(record.image, nameOrId, options), options, signal),
    )
  }

  async referrers(reference: string, options: ReferrersOptions = {}): Promise<Referrer[]> {
    return await this.#work(options.signal, (signal) =>
      listReferrers(this.#parts, reference, options, signal),
    )
  }

  async fsck(options: { repair?: boolean; signal?: AbortSignal } = {}): Promise<StoreCheck> {
    return await this.#work(options.signal, async (signal) => {
      const check = await checkStore(this.#parts, (name) => this.#pins.has(name), { ...options, signal })
      if (check.repaired) await this.#collect()
      return check
    })
  }

  async load(path: string, options: { reference?: string; signal?: AbortSignal } = {}): Promise<Image[]> {
    return await this.#work(options.signal, (signal) =>
      loadImages(this.#context(), path, options.reference, signal),
    )
  }

  find(nameOrId: string): Image | undefined {
    return findImage(this.#parts.records.images.values(), nameOrId)
  }

  get(nameOrId: string): Image {
    const image = this.find(nameOrId)
    if (image) return image
    throw new KeelsonError('NOT_FOUND', `image ${nameOrId} is not here`, {
      id: nameOrId,
      hint: 'pull it first',
    })
  }

  list(): Image[] {
    return [...this.#parts.records.images.values()].map(({ image }) => image)
  }

  async remove(nameOrId: string): Promise<void> {
    const image = this.find(nameOrId)
    if (!image) return
    await this.#parts.records.commit([{ remove: 'image', key: image.id }])
    await this.#collect()
  }

  /** What images take on disk: layers and blobs, not what containers wrote. */
  async filesystem(): Promise<FilesystemUsage> {
    const { content, layers, directory } = this.#parts
    const made = layers.list()
    const sizes = await Promise.all(
      (await content.list()).map(async (digest) => (await content.size(digest)) ?? 0),
    )
    return {
      mountpoint: directory,
      usedBytes: sum(made.map(({ bytes }) => bytes)) + sum(sizes),
      inodesUsed: sum(made.map(({ inodes }) => inodes)) + sizes.length,
    }
  }

  async readFile(
    imageId: string,
    path: string,
    { maxBytes = defaultReadBytes }: { maxBytes?: number } = {},
  ): Promise<Uint8Array | undefined> {
    const { records, layers } = this.#parts
    const record = records.images.get(this.get(imageId).id)
    const directories = layerRecords(records, record?.layerKeys ?? []).map((layer) => layers.path(layer))
    try {
      return await readLayeredFile(directories, path, maxBytes)
    } catch (error) {
      if (!hasErrno(error, 'EFBIG')) throw error
      const message = `${path} of the image is larger than ${maxBytes} bytes`
      throw new KeelsonError('RESOURCE_EXHAUSTED', message, { id: imageId, path, cause: error })
    }
  }

  /** After opening: everything that no record speaks of. */
  async sweep(): Promise<void> {
    const { layers, records } = this.#parts
    await layers.adopt(records.layers.values())
    await this.snapshots.sweep()
    await this.#collect()
    this.#parts.settler.request()
  }

  /** Pulls that run are cancelled. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new KeelsonError('CANCELLED', 'the image store is being closed'))
    await Promise.allSettled(this.#running)
    const { lock, records, layers, registry, settler } = this.#parts
    await using undo = new Cleanup()
    await undo.use(lock)
    await undo.use(records)
    await undo.use(layers)
    await undo.use(registry)
    await undo.use(settler)
  }

  #context(): InstallContext & Pick<Parts, 'registry' | 'credentials' | 'platform'> {
    return { ...this.#parts, pin: (names) => this.#pins.pin(names) }
  }

  /** Work that adds images. When it fails, what it had stored already is collected again. */
  async #work<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const both = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const running = this.#attempt(work, both)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  async #attempt<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      signal.throwIfAborted()
      const result = await work(signal)
      this.#parts.settler.request()
      return result
    } catch (error) {
      await this.#collect()
      throw signal.aborted ? cancelled(signal.reason) : asKeelsonError(error)
    }
  }

  /** Removes layers and blobs that no image, no snapshot and no running pull needs. */
  async #collect(): Promise<void> {
    const { records, layers, content } = this.#parts
    const keys = new Set(
      [...records.images.values(), ...records.snapshots.values()].flatMap((one) => one.layerKeys),
    )
    const doomed = layers.list().filter(({ key }) => !keys.has(key) && !this.#pins.has(key))
    // Looked up, forgotten and queued for removal without a pause in between: a pull that comes later makes the
    // layer anew and records it after this removal. The directory goes last, so that no record lacks one.
    for (const layer of doomed) layers.forget(layer)
    const recorded = doomed.filter(({ key }) => records.layers.has(key))
    await records.commit(
      recorded.flatMap(({ key, directory }): Change[] => [
        { remove: 'layer', key },
        { remove: 'unsynced', key: directory },
      ]),
    )
    await Promise.all(doomed.map((layer) => layers.remove(layer)))
    for (const digest of await content.list()) if (!this.#needsBlob(digest)) await content.remove(digest)
  }

  #needsBlob(digest: string): boolean {
    const { images } = this.#parts.records
    return this.#pins.has(digest) || [...images.values()].some(({ blobs }) => blobs.includes(digest))
  }
}

function takeLock(directory: string): FileLock {
  try {
    return new FileLock(join(directory, 'lock'))
  } catch (error) {
    if (!hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) throw error
    throw new KeelsonError('FAILED_PRECONDITION', `the image store ${directory} is open in another process`, {
      path: directory,
      cause: error,
      hint: 'stop the other keelson, or give this one a data directory of its own',
    })
  }
}

function cancelled(reason: unknown): KeelsonError {
  if (reason instanceof KeelsonError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new KeelsonError('DEADLINE_EXCEEDED', 'the time for it ran out', { cause: reason })
  return new KeelsonError('CANCELLED', isAbort(reason) ? 'cancelled' : `cancelled: ${String(reason)}`, {
    cause: reason,
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
