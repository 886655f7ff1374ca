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

const version = 1

/** The store's metadata: in memory for reading, in the ledger for good. A change is seen after it is recorded. */
export class Records implements AsyncDisposable {
  readonly images = new Map<string, ImageRecord>()
  readonly layers = new Map<string, LayerRecord>()
  readonly snapshots = new Map<string, SnapshotRecord>()
  readonly unsynced = new Map<string, UnsyncedRecord>()
  readonly #ledger: Ledger

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    for (const [key, value] of ledger.range({})) this.#load(key, value)
  }

  async commit(changes: readonly Change[], options?: CommitOptions): Promise<void> {
    await this.#ledger.commit(changes.map(operation), options)
    for (const change of changes) {
      if ('remove' in change) this.#table(change.remove).delete(change.key)
      else this.#table(change.put).set(change.key, change.record)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ledger[Symbol.asyncDispose]()
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
    this.#table(kind).set(key.slice(slash + 1), document.record)
  }

  #table(kind: keyof Tables): Map<string, unknown> {
    const tables: Record<keyof Tables, Map<string, unknown>> = {
      image: this.images,
      layer: this.layers,
      snapshot: this.snapshots,
      unsynced: this.unsynced,
    }
    return tables[kind]
  }
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
