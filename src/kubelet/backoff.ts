/**
 * Back-off per key for restarts and image pulls: the first failure waits `initialMs`, each further one twice as
 * long up to `maxMs`, and a key that ran well for `resetAfterMs` starts over. It holds no timers: callers ask
 * `remainingMs` and come back then.
 */
export interface BackoffOptions {
  initialMs?: number
  maxMs?: number
  resetAfterMs?: number
}

interface Entry {
  delayMs: number
  updatedMs: number
}

export class Backoff {
  readonly #initialMs: number
  readonly #maxMs: number
  readonly #resetAfterMs: number
  readonly #entries = new Map<string, Entry>()

  constructor({ initialMs = 10_000, maxMs = 300_000, resetAfterMs = 600_000 }: BackoffOptions = {}) {
    this.#initialMs = initialMs
    this.#maxMs = maxMs
    this.#resetAfterMs = resetAfterMs
  }

  /** Milliseconds still to wait after the failure at `failedMs`; 0 when the next try may happen now. */
  remainingMs(key: string, failedMs: number, nowMs: number): number {
    const entry = this.#entries.get(key)
    if (!entry || this.#expired(entry, failedMs)) return 0
    return Math.max(0, failedMs + entry.delayMs - nowMs)
  }

  /** Notes a try after the failure at `failedMs`: the failure after this one waits `delayMs(key)`. */
  next(key: string, failedMs: number, nowMs: number): void {
    const entry = this.#entries.get(key)
    const delayMs =
      !entry || this.#expired(entry, failedMs) ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs)
    this.#entries.set(key, { delayMs, updatedMs: nowMs })
  }

  /** The wait that follows the next failure of this key. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0
  }

  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key)
  }

  #expired(entry: Entry, failedMs: number): boolean {
    return failedMs - entry.updatedMs > this.#resetAfterMs
  }
}
