import { KeelsonError } from '../base/index.ts'
import type { CommitOptions, Ledger, Operation } from '../ledger/index.ts'
import type { Image } from './image-store.ts'

/** A layer directory. Immutable once recorded. */
export interface LayerRecord {
  /** Its diff id, or the chain id where the layer took attributes of directories from the layers below it. */
  key: string
  diffId: string
  /** Name of its directory in `layers/`. */
  directory: string
  /** Whether the archive described the root directory. */
  describesRoot: boolean
  /** It has directories that the archive did not describe. Of records of earlier versions nobody knows. */
  impliesDirectories?: boolean
  /** On disk. */
  bytes: number
  inodes: number
}

export interface ImageRecord {
  image: Image
  /** Every blob that belongs to it: index, manifest, config, layers as they came. */
  blobs: string[]
  /** Keys of its layer records, bottom first. */
  layerKeys: string[]
  /** Digest of the manifest, one of the blobs; and times since the Unix epoch. Earlier versions recorded neither. */
  manifest?: string
  addedMs?: number
  usedMs?: number
}

export interface SnapshotRecord {
  key: string
  imageId: string
  /** Keys of the layer records below it, bottom first: they outlive the image. */
  layerKeys: string[]
  /** Whose quota its writable layer is counted by, where the disk has such. */
  projectId?: number
}

/** Of a layer directory or an image whose files may not have reached the disk yet: the boot under which they were written. */
export interface UnsyncedRecord {
  boot: string
}

interface Tables {
  image: ImageRecord
  layer: LayerRecord
  snapshot: SnapshotRecord
  /** By directory name, or image id. */
  unsynced: UnsyncedRecord
}

export type Change =
  | { [Kind in keyof Tables]: { put: Kind; key: string; record: Tables[Kind] } }[keyof Tables]
  | { remove: keyof Tables; key: string }

/** What is recorded at one moment. */
export interface Recorded {
  readonly images: ReadonlyMap<string, ImageRecord>
  readonly layers: ReadonlyMap<string, LayerRecord>
  readonly snapshots: ReadonlyMap<string, SnapshotRecord>
  readonly unsynced: ReadonlyMap<string, UnsyncedRecord>
}

interface Waiting {
  early: boolean
  build: (now: Recorded) => readonly Change[]
  answer: (error?: unknown) => void
}

const version = 1

/**
 * The store's metadata: in memory for reading, in the ledger for good. A change is seen after it is recorded.
 *
 * Commits stand in one queue. Whoever changes a record builds the new one from what is recorded when its turn comes,
 * with all that was asked for before it: two that read the same record first would lose one of their changes. Those
 * that wait while the ledger is at work share its next commit, early ones apart from those that are to be on disk.
 */
export class Records implements AsyncDisposable, Recorded {
  readonly images = new Map<string, ImageRecord>()
  readonly layers = new Map<string, LayerRecord>()
  readonly snapshots = new Map<string, SnapshotRecord>()
  readonly unsynced = new Map<string, UnsyncedRecord>()
  readonly #ledger: Ledger
  readonly #queue: Waiting[] = []
  #writing: Promise<void> | undefined

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    for (const [key, value] of ledger.range({})) this.#load(key, value)
  }

  /** Changes that depend on nothing that is recorded. */
  async commit(changes: readonly Change[], options?: CommitOptions): Promise<void> {
    await this.change(() => ({ changes, result: undefined }), options)
  }

  /** `build` is called once; what it throws is for its caller alone. */
  change<Result>(
    build: (now: Recorded) => { changes: readonly Change[]; result: Result },
    { early = false }: CommitOptions = {},
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      let result: Result
      this.#queue.push({
        early,
        build: (now) => {
          const built = build(now)
          result = built.result
          return built.changes
        },
        answer: (error) => (error === undefined ? resolve(result) : reject(error)),
      })
      this.#writing ??= this.#write()
    })
  }

  /** Waits for the commits that were begun. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
    await this.#ledger[Symbol.asyncDispose]()
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) await this.#writeWaiting()
    this.#writing = undefined
  }

  async #writeWaiting(): Promise<void> {
    const early = this.#queue[0]?.early ?? false
    const other = this.#queue.findIndex((one) => one.early !== early)
    const waiting = this.#queue.splice(0, other < 0 ? this.#queue.length : other)
    const { changes, built } = this.#buildAll(waiting)
    try {
      await this.#ledger.commit(changes.map(operation), { early })
    } catch (error) {
      for (const { answer } of built) answer(error)
      return
    }
    for (const change of changes) apply(this, change)
    for (const { answer } of built) answer()
  }

  /** Each sees what those before it will have changed. */
  #buildAll(waiting: readonly Waiting[]): { changes: Change[]; built: Waiting[] } {
    const now = waiting.length === 1 ? this : copyOf(this)
    const changes: Change[] = []
    const built: Waiting[] = []
    for (const one of waiting) {
      try {
        const its = one.build(now)
        if (now !== this) for (const change of its) apply(now, change)
        changes.push(...its)
        built.push(one)
      } catch (error) {
        one.answer(error)
      }
    }
    return { changes, built }
  }

  #load(key: string, value: Uint8Array): void {
    const slash = key.indexOf('/')
    const kind = key.slice(0, slash)
    const document = JSON.parse(Buffer.from(value).toString('utf8'))
    if (document.version !== version || !isKind(kind))
      throw new KeelsonError(
        'FAILED_PRECONDITION',
        `the image store was written by another version (${key})`,
        {
          hint: 'use the keelson version that wrote it, or remove its directory',
        },
      )
    tableOf(this, kind).set(key.slice(slash + 1), document.record)
  }
}

type Maps = { [Name in keyof Recorded]: Map<string, unknown> }

function copyOf({ images, layers, snapshots, unsynced }: Records) {
  return {
    images: new Map(images),
    layers: new Map(layers),
    snapshots: new Map(snapshots),
    unsynced: new Map(unsynced),
  }
}

function apply(maps: Maps, change: Change): void {
  if ('remove' in change) tableOf(maps, change.remove).delete(change.key)
  else tableOf(maps, change.put).set(change.key, change.record)
}

function tableOf({ images, layers, snapshots, unsynced }: Maps, kind: keyof Tables): Map<string, unknown> {
  return { image: images, layer: layers, snapshot: snapshots, unsynced }[kind]
}

function isKind(text: string): text is keyof Tables {
  return ['image', 'layer', 'snapshot', 'unsynced'].includes(text)
}

function operation(change: Change): Operation {
  if ('remove' in change) return { remove: `${change.remove}/${change.key}` }
  return {
    put: `${change.put}/${change.key}`,
    value: Buffer.from(JSON.stringify({ version, record: change.record })),
  }
}
