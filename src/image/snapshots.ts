import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, open, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup, type Clock, hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import { adoptAttributes, removeTree, treeUsage } from '../kernel/index.ts'
import type { PrepareOptions, Snapshot, SnapshotStore, UnpackedArchive } from './image-store.ts'
import type { LayerQuota } from './layer-quota.ts'
import type { LayerStore } from './layer-store.ts'
import { removeLeftover } from './leftovers.ts'
import type { Change, LayerRecord, Recorded, Records, SnapshotRecord } from './records.ts'
import { changesOf } from './save/changes.ts'
import { SharedWork } from './shared-work.ts'

/** Also a directory name: container ids and the like. */
const keyForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/

/**
 * A snapshot is of a container, which does not outlive the boot it is of: its record has to survive this process, not a
 * power cut, after which the directory alone is swept.
 */
const early = { early: true } as const

/** Trees deleted after the answer, before removals wait for them. */
const deletingMax = 16

/** Beside `upper` and `work`: what `keep` was given. */
const keptName = 'kept'

/** Overlay directories: `snapshots/<key>/upper` and `work` over the image's layers. Nothing is mounted here. */
export class Snapshots implements SnapshotStore {
  readonly #records: Records
  readonly #layers: LayerStore
  readonly #quota: LayerQuota
  readonly #directory: string
  readonly #temporaryPath: () => string
  readonly #pin: (names: readonly string[]) => Disposable
  readonly #released: (layerKeys: readonly string[]) => Promise<void>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #preparing = new SharedWork<Snapshot>()
  readonly #deleting = new Set<Promise<void>>()

  constructor(options: {
    records: Records
    layers: LayerStore
    quota: LayerQuota
    directory: string
    temporaryPath: () => string
    /** Keeps the collector away from these layers. */
    pin: (names: readonly string[]) => Disposable
    /** Called after a snapshot is gone: its layers may be needed no more. */
    released: (layerKeys: readonly string[]) => Promise<void>
    clock: Clock
    log: Logger
  }) {
    this.#records = options.records
    this.#layers = options.layers
    this.#quota = options.quota
    this.#directory = join(options.directory, 'snapshots')
    this.#temporaryPath = options.temporaryPath
    this.#pin = options.pin
    this.#released = options.released
    this.#clock = options.clock
    this.#log = options.log
  }

  /** Removes directories that a crash left without a record. */
  async sweep(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#directory))
      if (!this.#records.snapshots.has(name)) await removeLeftover(join(this.#directory, name), this.#log)
  }

  /** The same key with the same image finds the snapshot again; with another image it is ALREADY_EXISTS. */
  async prepare(key: string, imageId: string, { bytesMax = 0 }: PrepareOptions = {}): Promise<Snapshot> {
    if (!keyForm.test(key))
      throw new KeelsonError('INVALID_ARGUMENT', `"${key.slice(0, 200)}" is no snapshot key`)
    const existing = this.#records.snapshots.get(key)
    if (existing) return sameImage(this.#toSnapshot(existing), imageId)
    return sameImage(await this.#preparing.run(key, () => this.#create(key, imageId, bytesMax)), imageId)
  }

  find(key: string): Snapshot | undefined {
    const record = this.#records.snapshots.get(key)
    return record && this.#toSnapshot(record)
  }

  list(): Snapshot[] {
    return [...this.#records.snapshots.values()].map((record) => this.#toSnapshot(record))
  }

  get hasLimits(): boolean {
    return this.#quota.hasLimits
  }

  keys(prefix: string): string[] {
    return [...this.#records.snapshots.keys()].filter((key) => key.startsWith(prefix))
  }

  /** Absent: no error. The overlay must not be mounted any more. */
  async remove(key: string): Promise<void> {
    const record = this.#records.snapshots.get(key)
    if (!record) return
    await this.#records.change((now) => {
      const changes: Change[] = [{ remove: 'snapshot', key }, ...this.#usedNow(now, record.imageId)]
      return { changes, result: undefined }
    }, early)
    const doomed = this.#temporaryPath()
    const isAside = await rename(this.#path(key), doomed).then(
      () => true,
      () => false,
    )
    // The key is free again at once, and nobody sees the tree any more, which may be large.
    if (isAside) this.#deleteAside(doomed, record)
    else await this.#delete(this.#path(key), record)
    await this.#released(record.layerKeys)
    if (this.#deleting.size > deletingMax) await Promise.race(this.#deleting)
  }

  /** Resolves when what was removed is deleted. */
  async deleted(): Promise<void> {
    await Promise.all(this.#deleting)
  }

  #deleteAside(path: string, record: Pick<SnapshotRecord, 'projectId'>): void {
    const deleted = this.#delete(path, record)
      .catch((error: unknown) =>
        this.#log.warn('a removed snapshot is deleted at the next start', { path, error }),
      )
      .finally(() => this.#deleting.delete(deleted))
    this.#deleting.add(deleted)
  }

  /** Its project is free when its last file is gone. */
  async #delete(path: string, { projectId }: Pick<SnapshotRecord, 'projectId'>): Promise<void> {
    await removeTree(path)
    if (projectId !== undefined) await this.#quota.release(projectId)
  }

  async usage(key: string): Promise<{ bytes: number; inodes: number }> {
    const record = this.#records.snapshots.get(key)
    if (!record) throw new KeelsonError('NOT_FOUND', `no snapshot ${key}`, { id: key })
    if (record.projectId !== undefined) return await this.#quota.usage(record.projectId)
    return await treeUsage(join(this.#path(key), 'upper'))
  }

  async saveChanges(key: string, path: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { upper } = this.#get(key)
    await using file = await open(path, 'wx', 0o600)
    for await (const bytes of changesOf(upper, signal))
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
  }

  async applyChanges(key: string, path: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { upper } = this.#get(key)
    await using file = await open(path, 'r')
    await this.#layers.unpackChanges(file, upper, signal)
  }

  async keep(key: string, { directory }: UnpackedArchive): Promise<string> {
    this.#get(key)
    const place = join(this.#path(key), keptName)
    await rename(directory, place).catch((error: unknown) => {
      if (!hasErrno(error, 'EXDEV')) throw error // the snapshot is a project of its own
      return cp(directory, place, { recursive: true })
    })
    return place
  }

  kept(key: string): string | undefined {
    const place = join(this.#path(key), keptName)
    return this.#records.snapshots.has(key) && existsSync(place) ? place : undefined
  }

  async drop(key: string): Promise<void> {
    if (this.#records.snapshots.has(key)) await removeTree(join(this.#path(key), keptName))
  }

  #get(key: string): Snapshot {
    const found = this.find(key)
    if (found) return found
    throw new KeelsonError('NOT_FOUND', `no snapshot ${key}`, { id: key })
  }

  /** Directories first, the record last: a crash in between leaves what `sweep` finds. */
  async #create(key: string, imageId: string, bytesMax: number): Promise<Snapshot> {
    const image = this.#records.images.get(imageId)
    if (!image) throw new KeelsonError('NOT_FOUND', `image ${imageId} is not here`, { id: imageId })
    using _layers = this.#pin(image.layerKeys)
    await using undo = new Cleanup()
    const path = this.#path(key)
    await mkdir(path, { mode: 0o700 })
    let projectId: number | undefined
    undo.defer(() => this.#delete(path, projectId === undefined ? {} : { projectId }))
    projectId = await this.#quota.give(path, bytesMax) // what is made below it belongs to it too
    await Promise.all([mkdir(join(path, 'upper')), mkdir(join(path, 'work'))])
    await this.#giveRootAttributes(join(path, 'upper'), image.layerKeys)
    const record = {
      key,
      imageId,
      layerKeys: image.layerKeys,
      ...(projectId !== undefined && { projectId }),
    }
    await this.#records.commit([{ put: 'snapshot', key, record }], early)
    undo.keep()
    return this.#toSnapshot(record)
  }

  /** Garbage collection takes what has not been used for long: until now it was. */
  #usedNow(now: Recorded, imageId: string): Change[] {
    const image = now.images.get(imageId)
    if (!image) return []
    return [{ put: 'image', key: imageId, record: { ...image, usedMs: this.#clock.nowMs() } }]
  }

  /** The root of an overlay is its topmost directory, so it takes the looks of the topmost layer that has a say. */
  async #giveRootAttributes(upper: string, layerKeys: readonly string[]): Promise<void> {
    const layer = this.#recordsOf(layerKeys).find(({ describesRoot }) => describesRoot)
    const adopted = layer && (await adoptAttributes([this.#layers.path(layer)], upper, ''))
    if (!adopted) await chmod(upper, 0o755)
  }

  #toSnapshot({ key, imageId, layerKeys }: SnapshotRecord): Snapshot {
    const lower = this.#recordsOf(layerKeys).map((record) => this.#layers.path(record))
    return { key, imageId, lower, upper: join(this.#path(key), 'upper'), work: join(this.#path(key), 'work') }
  }

  #recordsOf(layerKeys: readonly string[]): LayerRecord[] {
    return layerRecords(this.#records, layerKeys)
  }

  #path(key: string): string {
    return join(this.#directory, key)
  }
}

/** Records of these layers, topmost first. */
export function layerRecords(records: Records, layerKeys: readonly string[]): LayerRecord[] {
  return layerKeys.toReversed().map((key) => {
    const record = records.layers.get(key)
    if (!record) throw new KeelsonError('DATA_LOSS', `the layer ${key} is missing from the image store`)
    return record
  })
}

function sameImage(snapshot: Snapshot, imageId: string): Snapshot {
  if (snapshot.imageId === imageId) return snapshot
  throw new KeelsonError('ALREADY_EXISTS', `the snapshot ${snapshot.key} is of another image`, {
    id: snapshot.key,
  })
}
