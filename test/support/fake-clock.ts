import type { Clock } from '../../src/base/index.ts'

/** A clock that stands still until `advance` is called; timers run in order of their time. */
export class FakeClock implements Clock {
  #nowMs: number
  #timers: { atMs: number; callback: () => void }[] = []

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const cancel = this.after(delayMs, resolve)
      signal?.addEventListener('abort', () => {
        cancel()
        reject(signal.reason)
      })
    })
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length
  }

  /** Moves time forward, runs what falls due, and lets promises settle in between. */
  async advance(byMs: number): Promise<void> {
    const until = this.#nowMs + byMs
    for (;;) {
      await settle()
      const next = this.#timers.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.#timers = this.#timers.filter((one) => one !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
    }
    this.#nowMs = until
    await settle()
  }
}

/** Lets every promise that can settle now do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
