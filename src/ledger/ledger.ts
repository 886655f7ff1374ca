/**
 * An ordered, durable map from string keys to bytes.
 *
 * - `commit` applies all its operations or none, and resolves only after they are on disk, unless it may be early.
 * - Commits of concurrent callers share one flush (group commit) and take effect in call order.
 * - Reads see every commit that was resolved before the read began; a read never waits for a writer.
 * - Keys are ordered by their UTF-8 bytes. A key is 1 to 1,900 bytes of well-formed Unicode: INVALID_ARGUMENT.
 * - A range is one consistent view, also when commits come in its middle. Run it to its end or leave the loop:
 *   an iterator kept open holds disk pages that later commits could use again.
 * - After dispose, which waits for the commits that were begun, every call throws FAILED_PRECONDITION.
 */
export interface Ledger extends AsyncDisposable {
  get(key: string): Uint8Array | undefined
  /** Entries with `start <= key < end`, in key order (or reversed, from the highest down). */
  range(range: Range): Iterable<readonly [key: string, value: Uint8Array]>
  commit(operations: readonly Operation[], options?: CommitOptions): Promise<void>
  /** Writes a consistent copy of the whole store into an empty directory. */
  backup(directory: string): Promise<void>
}

export interface CommitOptions {
  /**
   * Resolve when the death of this process can no longer undo it, where the ledger has a journal (openJournaledLedger);
   * it is on disk a moment later. Default false.
   */
  early?: boolean
}

export type Operation = { put: string; value: Uint8Array } | { remove: string }

export interface Range {
  start?: string
  end?: string
  limit?: number
  reverse?: boolean
}

export interface LedgerOptions {
  /** Directory of the store; made when absent. */
  path: string
  /** Address space reserved for the store (no disk space); it grows when the store does. Default 64 GiB. */
  mapSizeBytes?: number
}
