import type { Clock } from './clock.ts'

/**
 * A keyed work queue for level-triggered reconcilers.
 *
 * - Fair: keys are handed out in the order in which they were added.
 * - A key is worked on by one worker at a time; added meanwhile, it runs once more afterwards.
 * - Adding a waiting key again changes nothing; adding is always welcome and never fails.
 * - A failed key comes back after a back-off that doubles from `backoffMinMs` to `backoffMaxMs` and is
 *   forgotten at the first success. A worker may ask for a later look itself by returning `{ afterMs }`.
 * - `close()` takes no new keys, waits for the running ones and drops the rest.
 */
export type Outcome = { afterMs: number } | undefined
// biome-ignore lint/suspicious/noConfusingVoidType: a worker that returns nothing is the usual one
export type Worker<K> = (key: K) => Promise<Outcome | void>

export interface WorkQueueOptions<K> {
  worker: Worker<K>
  clock: Clock
  concurrency?: number
  backoffMinMs?: number
  backoffMaxMs?: number
  /** Told of each failure; the key is retried either way. */
  onError: (key: K, error: unknown, attempt: number) => void
}

export class WorkQueue<K extends string> {
  readonly #options: Required<WorkQueueOptions<K>>
  readonly #waiting = new Set<K>()
  readonly #running = new Set<K>()
  readonly #again = new Set<K>()
  readonly #failures = new Map<K, number>()
  readonly #timers = new Map<K, () => void>()
  #closed = false
  #idle: (() => void)[] = []

  constructor(options: WorkQueueOptions<K>) {
    this.#options = { concurrency: 4, backoffMinMs: 100, backoffMaxMs: 60_000, ...options }
  }

  add(key: K): void {
    if (this.#closed) return
    this.#cancelTimer(key)
    if (this.#running.has(key)) this.#again.add(key)
    else this.#waiting.add(key)
    this.#pump()
  }

  /** Adds the key after a delay; an earlier `add` wins, a later `addAfter` replaces. */
  addAfter(key: K, delayMs: number): void {
    if (this.#closed) return
    this.#cancelTimer(key)
    this.#timers.set(
      key,
      this.#options.clock.after(delayMs, () => this.add(key)),
    )
  }

  get size(): number {
    return this.#waiting.size + this.#running.size
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.clear()
    this.#again.clear()
    for (const key of [...this.#timers.keys()]) this.#cancelTimer(key)
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return
      this.#waiting.delete(key)
      this.#running.add(key)
      void this.#run(key)
    }
  }

  async #run(key: K): Promise<void> {
    try {
      const outcome = await this.#options.worker(key)
      this.#failures.delete(key)
      if (outcome && !this.#again.has(key)) this.addAfter(key, outcome.afterMs)
    } catch (error) {
      this.#retry(key, error)
    } finally {
      this.#running.delete(key)
      if (this.#again.delete(key)) this.add(key)
      this.#pump()
      if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #retry(key: K, error: unknown): void {
    const attempt = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, attempt)
    this.#options.onError(key, error, attempt)
    const { backoffMinMs, backoffMaxMs } = this.#options
    this.addAfter(key, Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempt - 1, 30)))
  }

  #cancelTimer(key: K): void {
    this.#timers.get(key)?.()
    this.#timers.delete(key)
  }
}
