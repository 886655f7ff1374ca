import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Clock, KeelsonError, type Logger } from '../base/index.ts'
import { JournalFile, readJournal } from './journal-file.ts'
import { encodeKey } from './key.ts'
import type { CommitOptions, Ledger, Operation, Range } from './ledger.ts'

export interface JournalOptions {
  /** The store itself; disposed with this. */
  ledger: Ledger
  /** Two files are made with this beginning; on a file system in memory, for each early commit waits for a write. */
  path: string
  clock: Clock
  log: Logger
}

/** How long early commits are gathered: each flush of the store costs as much as the records of a dozen pods. */
const gatherMs = 250
/** From here on early commits wait as others do. */
const journalBytesMax = 4 * 1024 * 1024

/**
 * A ledger with early commits: they are acknowledged when they are in a journal in memory, which the death of this
 * process does not touch, and are in the store a moment later. What a power cut takes with it is at most that moment;
 * that is for facts which do not outlive the boot they are of, as what runs.
 *
 * Of the two files one takes what comes, the other holds what the store is just being told. What the store refuses stays
 * in both files and in memory, and the next commits, early or not, are refused until the store has taken it.
 *
 * All commits stand in one queue, in the order in which they were asked for, and the store is told them in that order,
 * several as one. What a kill leaves in the files never goes over what was acknowledged after it: they are cleared
 * before the answer.
 */
export async function openJournaledLedger(options: JournalOptions): Promise<Ledger> {
  const { ledger, path } = options
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const paths = [`${path}.0`, `${path}.1`] as const
  const found = paths.map((one) => ({ path: one, generation: 0, commits: [], ...readJournal(one) }))
  found.sort((one, other) => one.generation - other.generation)
  for (const { commits } of found) if (commits.length > 0) await ledger.commit(commits.flat())
  // Emptied in this order too: the older one alone, left by a death in between, would be told again over the newer.
  const [older, newer] = found.map((one) => new JournalFile(one.path)) as [JournalFile, JournalFile]
  return new JournaledLedger(options, older, newer)
}

interface Asked {
  operations: readonly Operation[]
  /** Of one that waits for the store; absent when it was acknowledged already and is in a file. */
  answer?: (error?: unknown) => void
}

class JournaledLedger implements Ledger {
  readonly #options: JournalOptions
  /** Not in the store yet, by key: what reads must see. */
  readonly #news = new Map<string, Operation>()
  #active: JournalFile
  #other: JournalFile
  #generation = 1
  /** What the store has not been told, in the order in which it was asked for. */
  #queue: Asked[] = []
  #tail: Promise<void> = Promise.resolve()
  #refused = false
  #open = true
  #cancelTimer: (() => void) | undefined

  constructor(options: JournalOptions, active: JournalFile, other: JournalFile) {
    this.#options = options
    this.#active = active
    this.#other = other
  }

  get(key: string): Uint8Array | undefined {
    this.#requireOpen('get')
    const news = this.#news.get(key)
    if (!news) return this.#options.ledger.get(key)
    return 'put' in news ? news.value : undefined
  }

  range(range: Range): Iterable<readonly [string, Uint8Array]> {
    this.#requireOpen('range')
    if (this.#news.size === 0) return this.#options.ledger.range(range)
    return merged(this.#options.ledger, range, this.#news)
  }

  async commit(operations: readonly Operation[], { early = false }: CommitOptions = {}): Promise<void> {
    this.#requireOpen('commit')
    for (const operation of operations) encodeKey('put' in operation ? operation.put : operation.remove)
    if (operations.length === 0) return
    const kept = operations.map(copied)
    if (!early || this.#refused || this.#active.bytes > journalBytesMax) return await this.#commitNow(kept)
    if (!this.#append(kept)) return await this.#commitNow(kept)
    for (const operation of kept) this.#news.set(keyOf(operation), operation)
    this.#queue.push({ operations: kept })
    this.#cancelTimer ??= this.#options.clock.after(gatherMs, () => void this.#settle())
  }

  /** False where the file cannot take it (a full disk): the store may. */
  #append(operations: readonly Operation[]): boolean {
    try {
      this.#active.append(this.#generation, operations)
      return true
    } catch (error) {
      this.#options.log.warn('a commit waits for the store: its journal takes nothing', { error })
      return false
    }
  }

  async backup(directory: string): Promise<void> {
    this.#requireOpen('backup')
    await this.#write()
    await this.#options.ledger.backup(directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#settle()
    await this.#options.ledger[Symbol.asyncDispose]()
    this.#active[Symbol.dispose]()
    this.#other[Symbol.dispose]()
  }

  #requireOpen(op: string): void {
    if (!this.#open)
      throw new KeelsonError('FAILED_PRECONDITION', 'the ledger is closed', { op, path: this.#options.path })
  }

  async #settle(): Promise<void> {
    try {
      await this.#write()
    } catch (error) {
      this.#options.log.error('what is recorded is not on disk yet', { error })
    }
  }

  #commitNow(operations: readonly Operation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ operations, answer: (error) => (error === undefined ? resolve() : reject(error)) })
      this.#write().catch(() => undefined) // told to each whom it concerns
    })
  }

  /** The store is told all that is asked for by then; one after the other. */
  #write(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const written = this.#tail.then(() => this.#writeNow())
    this.#tail = written.catch(() => undefined)
    return written
  }

  async #writeNow(): Promise<void> {
    const asked = this.#queue
    if (asked.length === 0) return
    this.#queue = []
    if (this.#other.bytes === 0) this.#swap()
    try {
      await this.#options.ledger.commit(asked.flatMap(({ operations }) => operations))
    } catch (error) {
      this.#stay(asked, error)
      throw error
    }
    this.#forget(asked)
    for (const { answer } of asked) answer?.()
  }

  /** Who waits is refused; what was acknowledged goes before whatever was asked for meanwhile. */
  #stay(asked: readonly Asked[], error: unknown): void {
    const acknowledged = asked.filter(({ answer }) => !answer)
    this.#queue = [...acknowledged, ...this.#queue]
    this.#refused = acknowledged.length > 0
    for (const { answer } of asked) answer?.(error)
  }

  /** The store has it all. The older file first: alone, it would be told again over the newer. */
  #forget(asked: readonly Asked[]): void {
    for (const operation of asked.flatMap(({ operations }) => operations))
      if (this.#news.get(keyOf(operation)) === operation) this.#news.delete(keyOf(operation))
    this.#other.clear()
    if (this.#queue.every(({ answer }) => answer)) this.#active.clear()
    this.#refused = false
  }

  #swap(): void {
    const full = this.#active
    this.#active = this.#other
    this.#other = full
    this.#generation++
  }
}

/** The caller may use its buffer again. */
function copied(operation: Operation): Operation {
  return 'put' in operation ? { put: operation.put, value: Buffer.from(operation.value) } : operation
}

function keyOf(operation: Operation): string {
  return 'put' in operation ? operation.put : operation.remove
}

function* merged(
  ledger: Ledger,
  { start, end, limit = Number.POSITIVE_INFINITY, reverse = false }: Range,
  news: ReadonlyMap<string, Operation>,
): Generator<readonly [string, Uint8Array]> {
  const bounds = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) }
  const all = new Map(ledger.range(bounds))
  for (const [key, operation] of news) {
    if ('put' in operation && isWithin(key, bounds)) all.set(key, operation.value)
    else all.delete(key)
  }
  const sorted = [...all].sort(([one], [other]) => compare(one, other))
  yield* (reverse ? sorted.reverse() : sorted).slice(0, limit)
}

function isWithin(key: string, { start, end }: Range): boolean {
  return (start === undefined || compare(start, key) <= 0) && (end === undefined || compare(key, end) < 0)
}

function compare(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}
