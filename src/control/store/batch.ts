import { KeelsonError } from '../../base/index.ts'
import type { Operation } from '../../ledger/index.ts'
import { encodeRecord, recordKey } from './record.ts'
import type { Entry, StoreEvent, Transaction, TransactionResult } from './store.ts'
import type { Versions } from './versions.ts'

/**
 * Transactions that will reach the disk together. Each is judged against the state that those before it leave
 * behind; nothing of it is visible until the whole batch is durable.
 */
export class Batch {
  readonly operations: Operation[] = []
  readonly revisions: { revision: number; events: readonly StoreEvent[] }[] = []
  readonly #versions: Versions
  readonly #written = new Map<string, Entry | undefined>()
  #revision: number

  constructor(versions: Versions) {
    this.#versions = versions
    this.#revision = versions.revision
  }

  get revision(): number {
    return this.#revision
  }

  current(key: string): Entry | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#versions.current(key)
  }

  transact(transaction: Transaction): TransactionResult {
    const comparisons = transaction.when ?? []
    const holds = comparisons.every(
      ({ key, modRevision }) => (this.current(key)?.modRevision ?? 0) === modRevision,
    )
    if (!holds) {
      const current = comparisons.map(({ key }) => this.current(key))
      return { succeeded: false, revision: this.#revision, current }
    }
    return { succeeded: true, ...this.#apply(transaction) }
  }

  #apply({ writes }: Transaction) {
    const revision = this.#revision + 1
    const events: StoreEvent[] = []
    const entries = writes.map((write) => {
      const key = 'put' in write ? write.put : write.remove
      const previous = this.current(key)
      if (!('put' in write)) {
        if (previous) events.push({ type: 'remove', key, revision, previous })
        return previous
      }
      const entry: Entry = {
        key,
        value: write.value,
        modRevision: revision,
        createRevision: previous?.createRevision ?? revision,
        version: (previous?.version ?? 0) + 1,
        lease: write.lease ?? 0,
      }
      events.push({ type: 'put', key, revision, entry, previous })
      return entry
    })
    if (events.length > 0) this.#record(revision, events) // removing what is not there takes no revision
    return { revision: this.#revision, entries }
  }

  #record(revision: number, events: readonly StoreEvent[]): void {
    this.#revision = revision
    this.revisions.push({ revision, events })
    events.forEach((event, position) => {
      this.#written.set(event.key, event.type === 'put' ? event.entry : undefined)
      this.operations.push({ put: recordKey({ revision, position }), value: encodeEvent(event) })
    })
  }
}

const nothing = new Uint8Array()

function encodeEvent(event: StoreEvent): Uint8Array {
  if (event.type === 'put') return encodeRecord({ ...event.entry, removed: false })
  return encodeRecord({ ...event.previous, removed: true, value: nothing })
}

/** INVALID_ARGUMENT for what no back end accepts: an empty key, or two writes to one. */
export function assertWellFormed({ writes }: Transaction): void {
  const keys = writes.map((write) => ('put' in write ? write.put : write.remove))
  if (keys.some((key) => key === '')) throw new KeelsonError('INVALID_ARGUMENT', 'a key must not be empty')
  if (new Set(keys).size !== keys.length)
    throw new KeelsonError('INVALID_ARGUMENT', 'a transaction may write a key only once')
}
