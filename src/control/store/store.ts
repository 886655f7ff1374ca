/**
 * The state of the cluster: an ordered map from string keys to bytes with etcd's semantics.
 *
 * - One revision counter for the whole store. Every transaction that writes takes the next revision; all its
 *   writes carry it. Revisions never go back, neither after a restart nor after a restore.
 * - A write is acknowledged only when it is durable, and becomes visible (to reads and watchers alike) at that
 *   moment, in revision order.
 * - Reads are linearizable when no revision is asked for; with one, they show the store as it was then, for any
 *   revision in the retained window `compactedRevision < revision <= revision`.
 * - A watch from a revision sees every later change of its range exactly once and in order.
 * - A revision that was compacted away is an error with code EXPIRED, one not yet reached is INVALID_ARGUMENT.
 *
 * Entries are shared and must not be changed. The same stored version is the same `Entry` object in every
 * answer of one process, so callers may hang what they derive from it (parsed object, served bytes) on a WeakMap.
 */
export interface Store extends AsyncDisposable {
  /** The highest revision that reads and watchers have been given. An empty store is at revision 1. */
  readonly revision: number
  /** The oldest revision that can still be read, or watched from onwards; 0 when nothing was compacted. */
  readonly compactedRevision: number

  get(key: string, options?: ReadOptions): Promise<ReadResult>
  list(query: ListQuery): Promise<ListResult>
  /** Applies all writes if all comparisons hold, otherwise none. Resolves after the flush. */
  transact(transaction: Transaction): Promise<TransactionResult>
  /** Rejects with EXPIRED when `afterRevision` is below the compacted revision. */
  watch(options: WatchOptions): Promise<Watch>
  /** Forgets every superseded version up to and including this revision; current entries stay. */
  compact(revision: number): Promise<void>
  /** A lease ends after `ttlMs` unless kept alive; its keys are then removed like by any other transaction. */
  grantLease(ttlMs: number): Promise<Lease>
  /** Starts the time to live anew; NOT_FOUND once the lease has ended. */
  keepLeaseAlive(id: number): Promise<Lease>
  /** Removes the lease and every key attached to it; an unknown lease changes nothing. */
  revokeLease(id: number): Promise<void>
  /** Writes a consistent, durable copy of the whole store into an empty directory. */
  snapshot(directory: string): Promise<void>
}

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** Revision of the write that made this version: the object's resourceVersion. */
  readonly modRevision: number
  /** Revision at which the key came into being (anew after a removal). */
  readonly createRevision: number
  /** 1 for a new key, one more for each write since. */
  readonly version: number
  /** Lease the key is attached to; 0 for none. */
  readonly lease: number
}

export interface ReadOptions {
  /** Read the store as of this revision; default the newest. */
  revision?: number | undefined
}

export interface ReadResult {
  entry: Entry | undefined
  /** Revision of the state that was read. */
  revision: number
}

export interface ListQuery extends ReadOptions {
  /** Every key that begins with it; the empty prefix is the whole store. */
  prefix: string
  /** Only keys that sort after this one: the last key of the page before. */
  after?: string | undefined
  limit?: number | undefined
}

export interface ListResult {
  /** In the order of the keys' UTF-16 code units (equal to byte order for ASCII, which is all that names allow). */
  entries: readonly Entry[]
  revision: number
  /** How many further entries match beyond `limit`. */
  remaining: number
}

export interface Transaction {
  /** All must hold; default none, so that the writes always happen. */
  when?: readonly Comparison[]
  writes: readonly Write[]
}

/** Holds when the key's newest version was written at `modRevision`; 0 when the key must not exist. */
export interface Comparison {
  key: string
  modRevision: number
}

export type Write = { put: string; value: Uint8Array; lease?: number | undefined } | { remove: string }

export type TransactionResult =
  | {
      succeeded: true
      revision: number
      /** One per write, in order: the new version of a put, the removed one (or undefined) of a remove. */
      entries: readonly (Entry | undefined)[]
    }
  | {
      succeeded: false
      revision: number
      /** What the compared keys hold, one per comparison, in order. */
      current: readonly (Entry | undefined)[]
    }

export type StoreEvent =
  | { type: 'put'; key: string; revision: number; entry: Entry; previous: Entry | undefined }
  | { type: 'remove'; key: string; revision: number; previous: Entry }

export interface WatchOptions {
  prefix: string
  /** First event is the first change after this revision; default the present one. */
  afterRevision?: number | undefined
  /** Called in revision order, with all events of one revision together. Must not throw and must not wait. */
  onEvents: (events: readonly StoreEvent[]) => void
  /** Called once when the watch can go no further: EXPIRED when it fell behind compaction, UNAVAILABLE when the store closes. */
  onEnd: (error: Error) => void
}

/** Disposing it stops the calls at once. */
export interface Watch extends Disposable {
  /** Every event of the range up to this revision has been handed over: good for a bookmark. */
  readonly revision: number
}

export interface Lease {
  id: number
  ttlMs: number
}
