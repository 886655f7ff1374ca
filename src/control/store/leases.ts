import { type Clock, KeelsonError } from '../../base/index.ts'
import type { Lease, StoreEvent } from './store.ts'

interface Held {
  ttlMs: number
  keys: Set<string>
  cancel: () => void
}

/** Which keys hang on which lease, and the timer of each. After a restart every time to live begins anew. */
export class Leases {
  readonly #held = new Map<number, Held>()
  readonly #clock: Clock
  readonly #onExpired: (id: number) => void

  constructor(clock: Clock, onExpired: (id: number) => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  has(id: number): boolean {
    return this.#held.has(id)
  }

  keysOf(id: number): string[] {
    return [...(this.#held.get(id)?.keys ?? [])]
  }

  hold({ id, ttlMs }: Lease): void {
    this.#held.set(id, {
      ttlMs,
      keys: new Set(),
      cancel: this.#clock.after(ttlMs, () => this.#onExpired(id)),
    })
  }

  keepAlive(id: number): Lease {
    const held = this.#held.get(id)
    if (!held) throw new KeelsonError('NOT_FOUND', `no lease ${id}`, { op: 'keep lease alive' })
    held.cancel()
    held.cancel = this.#clock.after(held.ttlMs, () => this.#onExpired(id))
    return { id, ttlMs: held.ttlMs }
  }

  drop(id: number): void {
    this.#held.get(id)?.cancel()
    this.#held.delete(id)
  }

  /** A key hangs on the lease of its newest version only. */
  follow(event: StoreEvent): void {
    if (event.previous?.lease) this.#held.get(event.previous.lease)?.keys.delete(event.key)
    if (event.type === 'put' && event.entry.lease) this.#held.get(event.entry.lease)?.keys.add(event.key)
  }

  close(): void {
    for (const id of [...this.#held.keys()]) this.drop(id)
  }
}
