import { mkdir } from 'node:fs/promises'
import {
  asKeelsonError,
  Cleanup,
  type Clock,
  holdDirectory,
  KeelsonError,
  type Logger,
} from '../../base/index.ts'
import { type Ledger, openLedger } from '../../ledger/index.ts'
import { assertWellFormed, Batch } from './batch.ts'
import { Leases } from './leases.ts'
import { loadVersions } from './load.ts'
import { compactedKey, leaseKey, recordKey } from './record.ts'
import type {
  Lease,
  ListQuery,
  ListResult,
  ReadOptions,
  ReadResult,
  Store,
  Transaction,
  TransactionResult,
  Watch,
  WatchOptions,
} from './store.ts'
import { assertRetained, type Versions } from './versions.ts'
import { Watchers } from './watchers.ts'

export interface OpenStoreOptions {
  /** Directory of the store; made when absent. FAILED_PRECONDITION while another process has it open. */
  path: string
  clock: Clock
  log: Logger
  /** History beyond this is compacted by itself; default 32 MiB. */
  historyBytesMax?: number
}

/** The embedded back end: everything in memory for reading, every write in the ledger before it is acknowledged. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  await using undo = new Cleanup()
  await mkdir(options.path, { recursive: true, mode: 0o700 })
  await undo.use(holdDirectory(options.path, 'store'))
  const ledger = await undo.use(openLedger({ path: options.path }))
  return storeOn(ledger, options, undo.move())
}

/** The store on a ledger that is open already; `owned` is disposed with it. */
export function storeOn(
  ledger: Ledger,
  options: Omit<OpenStoreOptions, 'path'>,
  owned: AsyncDisposable = ledger,
): Store {
  return new LedgerStore(ledger, options, owned)
}

/** Something that waits for its turn to write. It is judged when its batch is put together, not when it is asked. */
interface Pending {
  judge: (batch: Batch) => void
  settle: () => void
  fail: (error: unknown) => void
}

const defaultHistoryBytesMax = 32 * 2 ** 20
const batchSizeMax = 1_000

class LedgerStore implements Store {
  readonly #ledger: Ledger
  readonly #owned: AsyncDisposable
  readonly #log: Logger
  readonly #historyBytesMax: number
  readonly #versions: Versions
  readonly #leases: Leases
  readonly #watchers: Watchers
  #queue: Pending[] = []
  #pumping: Promise<void> | undefined
  #leaseId: number
  #compactTarget: number
  #compacting = false
  #closed: KeelsonError | undefined
  #disposed: Promise<void> | undefined

  constructor(ledger: Ledger, options: Omit<OpenStoreOptions, 'path'>, owned: AsyncDisposable) {
    this.#ledger = ledger
    this.#owned = owned
    this.#log = options.log
    this.#historyBytesMax = options.historyBytesMax ?? defaultHistoryBytesMax
    this.#leases = new Leases(options.clock, (id) => this.#expire(id))
    this.#versions = loadVersions(ledger, this.#leases)
    this.#compactTarget = this.#versions.compacted
    this.#watchers = new Watchers(this.#versions, options.log)
    this.#leaseId = options.clock.nowMs() * 1_000
  }

  get revision(): number {
    return this.#versions.revision
  }

  get compactedRevision(): number {
    return this.#versions.compacted
  }

  async get(key: string, { revision }: ReadOptions = {}): Promise<ReadResult> {
    this.#assertOpen()
    if (revision === undefined) return { entry: this.#versions.current(key), revision: this.revision }
    assertRetained(this.#versions, revision)
    return { entry: this.#versions.get(key, revision), revision }
  }

  async list(query: ListQuery): Promise<ListResult> {
    this.#assertOpen()
    const revision = query.revision ?? this.revision
    assertRetained(this.#versions, revision)
    return this.#versions.list(query, revision)
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    assertWellFormed(transaction)
    return this.#enqueue((batch) => {
      for (const write of transaction.writes)
        if ('put' in write && write.lease && !this.#leases.has(write.lease))
          throw new KeelsonError('NOT_FOUND', `no lease ${write.lease}`, { op: 'put', id: write.put })
      return batch.transact(transaction)
    })
  }

  async watch(options: WatchOptions): Promise<Watch> {
    this.#assertOpen()
    const after = options.afterRevision ?? this.revision
    assertRetained(this.#versions, after)
    return this.#watchers.add(options, after)
  }

  async compact(revision: number): Promise<void> {
    assertRetained(this.#versions, revision)
    await this.#enqueue((batch) => {
      if (revision <= this.#compactTarget) return // a later one is on its way already
      this.#compactTarget = revision
      for (const record of this.#versions.superseded(revision))
        batch.operations.push({ remove: recordKey(record) })
      batch.operations.push({ put: compactedKey, value: Buffer.from(String(revision)) })
    }).catch((error) => {
      this.#compactTarget = this.#versions.compacted
      throw error
    })
    if (revision > this.#versions.compacted) this.#versions.compact(revision)
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    if (!(ttlMs > 0)) throw new KeelsonError('INVALID_ARGUMENT', `a lease needs a time to live, not ${ttlMs}`)
    const lease = { id: ++this.#leaseId, ttlMs }
    await this.#enqueue((batch) => {
      batch.operations.push({ put: leaseKey(lease.id), value: Buffer.from(String(ttlMs)) })
    })
    this.#leases.hold(lease)
    return lease
  }

  async keepLeaseAlive(id: number): Promise<Lease> {
    this.#assertOpen()
    return this.#leases.keepAlive(id)
  }

  async revokeLease(id: number): Promise<void> {
    if (!this.#leases.has(id)) return
    await this.#enqueue((batch) => {
      const keys = this.#leases.keysOf(id).filter((key) => batch.current(key)?.lease === id)
      if (keys.length > 0) batch.transact({ writes: keys.map((key) => ({ remove: key })) })
      batch.operations.push({ remove: leaseKey(id) })
    })
    this.#leases.drop(id)
  }

  async snapshot(directory: string): Promise<void> {
    this.#assertOpen()
    await this.#ledger.backup(directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= new KeelsonError('UNAVAILABLE', 'the store is closed')
    this.#disposed ??= this.#dispose(this.#closed)
    await this.#disposed
  }

  async #dispose(reason: KeelsonError): Promise<void> {
    await this.#pumping
    this.#leases.close()
    this.#watchers.endAll(reason)
    await this.#owned[Symbol.asyncDispose]()
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closed
  }

  /** Resolves with what `judge` returned, once the batch it was part of is durable and visible. */
  #enqueue<R>(judge: (batch: Batch) => R): Promise<R> {
    this.#assertOpen()
    return new Promise((resolve, reject) => {
      let result: R
      this.#queue.push({
        judge: (batch) => {
          result = judge(batch)
        },
        settle: () => resolve(result),
        fail: reject,
      })
      this.#pumping ??= this.#pump()
    })
  }

  /**
   * Group commit: whoever comes while a flush is under way waits for the next one, and all who wait share it. Only
   * one batch is in flight, so a batch that fails leaves nothing behind that a later one was judged by.
   */
  async #pump(): Promise<void> {
    await Promise.resolve() // callers of the same turn share the first flush
    while (this.#queue.length > 0) {
      const batch = new Batch(this.#versions)
      const members = this.#queue.splice(0, batchSizeMax).filter((pending) => judged(pending, batch))
      try {
        if (batch.operations.length > 0) await this.#ledger.commit(batch.operations)
      } catch (cause) {
        this.#fail(members, batch, cause)
        continue
      }
      this.#publish(batch)
      for (const { settle } of members) settle()
    }
    this.#pumping = undefined
    this.#trimHistory()
  }

  #publish(batch: Batch): void {
    for (const { revision, events } of batch.revisions) {
      this.#versions.append(revision, events)
      for (const event of events) this.#leases.follow(event)
      this.#watchers.publish(events)
    }
  }

  #fail(members: readonly Pending[], batch: Batch, cause: unknown): void {
    const error = asKeelsonError(cause, { op: 'commit' })
    this.#log.error('store could not write', { error })
    for (const { fail } of members) fail(error)
    const first = batch.revisions[0]
    if (first === undefined || this.#ledger.get(recordKey({ ...first, position: 0 })) === undefined) return
    // It says it failed, yet it is there: memory and disk are no longer the same story. A new start reads the disk.
    this.#closed = new KeelsonError('UNAVAILABLE', 'the store must be opened anew after a failed flush', {
      cause,
    })
    for (const { fail } of this.#queue.splice(0)) fail(this.#closed)
    this.#watchers.endAll(this.#closed)
  }

  #expire(id: number): void {
    if (this.#closed) return
    this.revokeLease(id).catch((error) =>
      this.#log.error('expired lease could not be removed', { id, error }),
    )
  }

  #trimHistory(): void {
    if (this.#closed || this.#compacting || this.#versions.logBytes <= this.#historyBytesMax) return
    this.#compacting = true
    this.compact(this.#versions.revisionKeeping(this.#historyBytesMax / 2))
      .catch((error) => this.#log.warn('store could not compact its history', { error }))
      .finally(() => {
        this.#compacting = false
      })
  }
}

/** A request that is refused on its own account takes no part in the batch. It must throw before it writes. */
function judged(pending: Pending, batch: Batch): boolean {
  try {
    pending.judge(batch)
    return true
  } catch (error) {
    pending.fail(error)
    return false
  }
}
