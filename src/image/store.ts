import { asKeelsonError, Cleanup, type Clock, hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import { type FileLock, layersHave, readLayeredFile } from '../kernel/index.ts'
import { cancelled } from './cancelled.ts'
import { CarriedArchives } from './carried-archives.ts'
import { collect } from './collect.ts'
import type { ContentStore } from './content-store.ts'
import { describeImage } from './describe.ts'
import type { Settler } from './durability.ts'
import { checkStore } from './fsck.ts'
import { freeDisk, prunable } from './garbage.ts'
import { readHistory } from './history.ts'
import type {
  Collected,
  Credentials,
  FilesystemUsage,
  Freed,
  GarbagePolicy,
  HistoryStep,
  Image,
  ImageDescription,
  LoadOptions,
  ManagedImageStore,
  PruneOptions,
  PullOptions,
  Pushed,
  PushOptions,
  Referrer,
  ReferrersOptions,
  SaveOptions,
  StoreCheck,
} from './image-store.ts'
import type { InstallContext } from './install.ts'
import type { LayerQuota } from './layer-quota.ts'
import type { LayerStore } from './layer-store.ts'
import type { Leases } from './leases.ts'
import { loadImages } from './load/load.ts'
import { findImage, isIdOf, targetName } from './names.ts'
import { Pins } from './pins.ts'
import type { Platform } from './platform.ts'
import { pullImage } from './pull.ts'
import { pushImage } from './push.ts'
import type { ImageRecord, Records } from './records.ts'
import { formatReference, parseReference } from './reference.ts'
import { listReferrers } from './referrers.ts'
import { RegistryClient } from './registry/client.ts'
import type { Mirrors } from './registry/mirrors.ts'
import { saveImages } from './save/save.ts'
import { layerRecords, Snapshots } from './snapshots.ts'
import { readStoredManifest } from './stored-manifest.ts'
import { tagImage, untagImage } from './tags.ts'

const defaultReadBytes = 2 ** 20

/** What a store is made of; it disposes all of it. */
export interface Parts {
  directory: string
  lock: FileLock
  records: Records
  content: ContentStore
  layers: LayerStore
  quota: LayerQuota
  leases: Leases
  registry: RegistryClient
  credentials: Credentials
  platform: Platform
  boot: string
  settler: Settler
  clock: Clock
  log: Logger
}

export class FileImageStore implements ManagedImageStore {
  readonly snapshots: Snapshots
  readonly archives: CarriedArchives
  readonly #parts: Parts
  readonly #pins = new Pins()
  readonly #running = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(parts: Parts) {
    this.#parts = parts
    const { content, layers } = parts
    this.snapshots = new Snapshots({
      ...parts,
      temporaryPath: () => content.temporaryPath('snapshot'),
      pin: (names) => this.#pins.pin(names),
      released: (layerKeys) => this.#collectOf(layerKeys),
    })
    this.archives = new CarriedArchives({
      content,
      layers,
      record: (imageId) => this.#record(imageId),
      directoriesOf: (imageId) => this.#directoriesOf(imageId),
      pin: (names) => this.#pins.pin(names),
      work: (signal, work) => this.#work(signal, work),
    })
  }

  async pull(reference: string, options: PullOptions = {}): Promise<Image> {
    const { mirrors, platform = this.#parts.platform } = options
    return await this.#work(options.signal, async (signal) => {
      await using own = this.#registryWith(mirrors)
      const context = { ...this.#context(), platform, registry: own ?? this.#parts.registry }
      return await pullImage(context, reference, options, signal)
    })
  }

  async load(path: string, options: LoadOptions = {}): Promise<Image[]> {
    const { platform = this.#parts.platform, reference } = options
    return await this.#work(options.signal, (signal) =>
      loadImages({ ...this.#context(), platform }, path, reference, signal),
    )
  }

  async push(nameOrId: string, options: PushOptions = {}): Promise<Pushed> {
    const record = this.#record(nameOrId)
    using _blobs = this.#pins.pin(record.blobs)
    const name = targetName(record.image, nameOrId, options)
    return await this.#work(options.signal, async (signal) => {
      await using own = this.#registryWith(options.mirrors)
      const context = { ...this.#context(), registry: own ?? this.#parts.registry }
      return await pushImage(context, record, name, options, signal)
    })
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

  async save(names: readonly string[], options: SaveOptions): Promise<void> {
    const images = names.map((name) => ({ record: this.#record(name), tags: this.#tagsMeant(name) }))
    using _blobs = this.#pins.pin(images.flatMap(({ record }) => record.blobs))
    await this.#work(options.signal, (signal) =>
      saveImages(this.#parts.content, images, { ...options, signal }),
    )
  }

  async tag(nameOrId: string, tag: string): Promise<Image> {
    return await tagImage(this.#parts.records, this.get(nameOrId).id, tag)
  }

  async untag(name: string): Promise<Image> {
    return await this.#untilClosed(async () => {
      const left = await untagImage(this.#parts.records, this.get(name).id, name)
      await this.#collect()
      return left
    })
  }

  async history(nameOrId: string): Promise<HistoryStep[]> {
    const { content } = this.#parts
    const { parsed } = await readStoredManifest(content, this.#record(nameOrId))
    return await readHistory(content, parsed.config.digest, parsed.layers)
  }

  describe(nameOrId: string): ImageDescription {
    return describeImage(this.#parts.records, this.#record(nameOrId))
  }

  async prune(options: PruneOptions = {}): Promise<Freed> {
    const { records, clock } = this.#parts
    const before = await this.filesystem()
    const doomed = await this.#untilClosed(async () => {
      const chosen = await records.change((now) => {
        const result = prunable(now, options, clock.nowMs())
        return { changes: result.map(({ image }) => ({ remove: 'image', key: image.id })), result }
      })
      await this.#collect()
      return chosen
    })
    const { usedBytes } = await this.filesystem()
    return { images: doomed.map(({ image }) => image), bytes: Math.max(0, before.usedBytes - usedBytes) }
  }

  async collectGarbage(policy: GarbagePolicy): Promise<Collected> {
    return await freeDisk({ ...this.#parts, pins: this.#pins, remove: (id) => this.remove(id) }, policy)
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
    await this.#untilClosed(async () => {
      await this.#parts.records.commit([{ remove: 'image', key: image.id }])
      await this.#collect()
    })
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

  has(imageId: string, path: string): Promise<boolean> {
    return layersHave(this.#directoriesOf(imageId), path)
  }

  async readFile(
    imageId: string,
    path: string,
    { maxBytes = defaultReadBytes }: { maxBytes?: number } = {},
  ): Promise<Uint8Array | undefined> {
    try {
      return await readLayeredFile(this.#directoriesOf(imageId), path, maxBytes)
    } catch (error) {
      if (!hasErrno(error, 'EFBIG')) throw error
      const message = `${path} of the image is larger than ${maxBytes} bytes`
      throw new KeelsonError('RESOURCE_EXHAUSTED', message, { id: imageId, path, cause: error })
    }
  }

  /** The layers of an image, topmost first. */
  #directoriesOf(imageId: string): string[] {
    const { records, layers } = this.#parts
    return layerRecords(records, this.#record(imageId).layerKeys).map((layer) => layers.path(layer))
  }

  /** After opening: everything that no record speaks of. */
  async sweep(): Promise<void> {
    const { layers, records } = this.#parts
    await layers.adopt(records.layers.values())
    await this.snapshots.sweep()
    await this.#collect()
    this.#parts.settler.request()
  }

  /** Pulls that run are cancelled, removals waited for: another process may have the store then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new KeelsonError('CANCELLED', 'the image store is being closed'))
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    await this.snapshots.deleted()
    const { lock, records, layers, leases, registry, settler } = this.#parts
    await using undo = new Cleanup()
    await undo.use(lock)
    await undo.use(records)
    await undo.use(layers)
    await undo.use(leases)
    await undo.use(registry)
    await undo.use(settler)
  }

  #registryWith(mirrors: Mirrors | undefined): RegistryClient | undefined {
    const { log, clock } = this.#parts
    return mirrors && new RegistryClient({ mirrors, log, clock })
  }

  #record(nameOrId: string): ImageRecord {
    const { id } = this.get(nameOrId)
    const record = this.#parts.records.images.get(id)
    if (record) return record
    throw new KeelsonError('NOT_FOUND', `image ${id} is not here`, { id })
  }

  /** Whoever names one tag means that one; by id or digest all are meant. */
  #tagsMeant(nameOrId: string): string[] {
    const image = this.get(nameOrId)
    const { repoTags } = image
    if (isIdOf(image, nameOrId)) return repoTags
    const named = formatReference(parseReference(nameOrId))
    return repoTags.includes(named) ? [named] : repoTags
  }

  #context(): InstallContext & Pick<Parts, 'leases' | 'registry' | 'credentials' | 'platform'> {
    return { ...this.#parts, pin: (names) => this.#pins.pin(names) }
  }

  /** Work that adds images. When it fails, what it had stored already is collected again. */
  async #work<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const both = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    return await this.#tracked(this.#attempt(work, both))
  }

  /** Work that removes; none is begun once the store is being closed. */
  async #untilClosed<T>(work: () => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted()
    return await this.#tracked(work())
  }

  async #tracked<T>(running: Promise<T>): Promise<T> {
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

  /** After a snapshot is gone: usually its image is still there, and then there is nothing to look for. */
  async #collectOf(layerKeys: readonly string[]): Promise<void> {
    const { images, snapshots } = this.#parts.records
    const isUsed = (key: string) =>
      [images, snapshots].some((table) => [...table.values()].some((one) => one.layerKeys.includes(key)))
    if (!layerKeys.every(isUsed)) await this.#collect()
  }

  async #collect(): Promise<void> {
    const again = () =>
      void this.#collect().catch((error) => this.#parts.log.warn('nothing was collected', { error }))
    await collect({ ...this.#parts, pins: this.#pins, again })
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
