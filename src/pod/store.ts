import { KeelsonError } from '../base/index.ts'
import type { Ledger, Operation } from '../ledger/index.ts'
import {
  type ContainerRecord,
  containerKey,
  decodeContainer,
  decodeSandbox,
  encodeContainer,
  encodeSandbox,
  type SandboxRecord,
  sandboxKey,
} from './records.ts'

export type Cause = 'created' | 'started' | 'stopped' | 'deleted'

/** One change of the store, told after it is recorded and in the order in which the changes were asked for. */
export interface Change {
  cause: Cause
  sandbox: SandboxRecord
  /** Absent when it happened to the sandbox itself. */
  container?: ContainerRecord
  atNs: bigint
}

type Subject = Pick<Change, 'sandbox' | 'container'>

/**
 * All sandboxes and containers, in memory and in the ledger. A change is visible, and its listeners hear of it, only
 * once the death of this process cannot undo it (the ledger's early commit: pods do not outlive the boot they are of);
 * a record is replaced whole and never altered in place.
 */
export class PodStore {
  readonly #ledger: Ledger
  readonly #now: () => bigint
  readonly #sandboxes = new Map<string, SandboxRecord>()
  readonly #containers = new Map<string, ContainerRecord>()
  /** What is asked for and not durable yet. */
  readonly #asked = {
    sandboxes: new Map<string, SandboxRecord>(),
    containers: new Map<string, ContainerRecord>(),
  }
  readonly #listeners = new Set<(change: Change) => void>()
  #tail: Promise<unknown> = Promise.resolve()
  /** Fails as the last attempt to keep something did. */
  lastCommit: Promise<unknown> = Promise.resolve()

  constructor(ledger: Ledger, now: () => bigint) {
    this.#ledger = ledger
    this.#now = now
    for (const [key, value] of ledger.range({ start: sandboxKey(''), end: sandboxKey('~') })) {
      const record = decodeSandbox(key, value)
      this.#sandboxes.set(record.id, record)
    }
    for (const [key, value] of ledger.range({ start: containerKey(''), end: containerKey('~') })) {
      const record = decodeContainer(key, value)
      this.#containers.set(record.id, record)
    }
  }

  onChange(listener: (change: Change) => void): void {
    this.#listeners.add(listener)
  }

  sandboxes(): SandboxRecord[] {
    return [...this.#sandboxes.values()]
  }

  containers(): ContainerRecord[] {
    return [...this.#containers.values()]
  }

  containersOf(sandboxId: string): ContainerRecord[] {
    return this.containers().filter((record) => record.sandboxId === sandboxId)
  }

  /** By id or by a prefix that only one id has. */
  findSandbox(idOrPrefix: string): SandboxRecord | undefined {
    return findByPrefix(this.#sandboxes, idOrPrefix)
  }

  findContainer(idOrPrefix: string): ContainerRecord | undefined {
    return findByPrefix(this.#containers, idOrPrefix)
  }

  sandbox(idOrPrefix: string): SandboxRecord {
    const found = this.findSandbox(idOrPrefix)
    if (found) return found
    throw new KeelsonError('NOT_FOUND', `no pod sandbox ${idOrPrefix}`, { id: idOrPrefix })
  }

  container(idOrPrefix: string): ContainerRecord {
    const found = this.findContainer(idOrPrefix)
    if (found) return found
    throw new KeelsonError('NOT_FOUND', `no container ${idOrPrefix}`, { id: idOrPrefix })
  }

  putSandbox(record: SandboxRecord, ...causes: Cause[]): Promise<void> {
    const operation = { put: sandboxKey(record.id), value: encodeSandbox(record) }
    return this.#asking(this.#asked.sandboxes, record, () =>
      this.#commit(operation, causes, () => {
        const before = this.#sandboxes.get(record.id)
        this.#sandboxes.set(record.id, record)
        return isToldAgain(before, causes) ? undefined : { sandbox: record }
      }),
    )
  }

  putContainer(record: ContainerRecord, ...causes: Cause[]): Promise<void> {
    const operation = { put: containerKey(record.id), value: encodeContainer(record) }
    return this.#asking(this.#asked.containers, record, () =>
      this.#commit(operation, causes, () => {
        this.#containers.set(record.id, record)
        return this.#withSandbox(record)
      }),
    )
  }

  /** Of the newest record, be it durable yet or not, so that no change goes under. NOT_FOUND once it is removed. */
  async changeContainer(
    id: string,
    change: (record: ContainerRecord) => ContainerRecord,
    ...causes: Cause[]
  ): Promise<void> {
    await this.putContainer(change(this.#asked.containers.get(id) ?? this.container(id)), ...causes)
  }

  async changeSandbox(
    id: string,
    change: (record: SandboxRecord) => SandboxRecord,
    ...causes: Cause[]
  ): Promise<void> {
    await this.putSandbox(change(this.#asked.sandboxes.get(id) ?? this.sandbox(id)), ...causes)
  }

  /** The first end counts and is told once, whoever else asks for it. */
  async stopSandbox(id: string, stoppedAtNs: bigint): Promise<void> {
    const stop = (last: SandboxRecord) => (last.stoppedAtNs === undefined ? { ...last, stoppedAtNs } : last)
    await this.changeSandbox(id, stop, 'stopped')
  }

  removeSandbox(record: SandboxRecord): Promise<void> {
    return this.#commit({ remove: sandboxKey(record.id) }, ['deleted'], () => {
      this.#sandboxes.delete(record.id)
      return { sandbox: record }
    })
  }

  removeContainer(record: ContainerRecord): Promise<void> {
    return this.#commit({ remove: containerKey(record.id) }, ['deleted'], () => {
      this.#containers.delete(record.id)
      return this.#withSandbox(record)
    })
  }

  async #asking<Record extends { id: string }>(
    asked: Map<string, Record>,
    record: Record,
    commit: () => Promise<void>,
  ): Promise<void> {
    asked.set(record.id, record)
    try {
      await commit()
    } finally {
      if (asked.get(record.id) === record) asked.delete(record.id)
    }
  }

  #withSandbox(container: ContainerRecord): Subject | undefined {
    const sandbox = this.#sandboxes.get(container.sandboxId)
    return sandbox && { sandbox, container }
  }

  /** Commits are applied one after the other in call order, although several may share one flush. */
  #commit(operation: Operation, causes: readonly Cause[], apply: () => Subject | undefined): Promise<void> {
    const durable = this.#ledger.commit([operation], { early: true })
    durable.catch(() => undefined)
    this.lastCommit = durable
    const applied = this.#tail.then(async () => {
      await durable
      const subject = apply()
      if (subject) for (const cause of causes) this.#tell({ ...subject, cause, atNs: this.#now() })
    })
    this.#tail = applied.catch(() => undefined)
    return applied
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }
}

function isToldAgain(before: SandboxRecord | undefined, causes: readonly Cause[]): boolean {
  return before?.stoppedAtNs !== undefined && causes.includes('stopped')
}

function findByPrefix<Record>(records: ReadonlyMap<string, Record>, idOrPrefix: string): Record | undefined {
  const exact = records.get(idOrPrefix)
  if (exact || idOrPrefix === '') return exact
  const matches = [...records.keys()].filter((id) => id.startsWith(idOrPrefix))
  const [only] = matches
  return only !== undefined && matches.length === 1 ? records.get(only) : undefined
}
