import type { Clock } from '../../../base/index.ts'
import type { Store } from '../../store/index.ts'

/** Objects written within this share one store lease, so that ending does not cost a write for each. */
const windowMs = 180_000

/** Store leases for objects that end by themselves (events). They end between `lifetimeMs` and 3 minutes later. */
export class LeasePool {
  readonly #store: Store
  readonly #clock: Clock
  readonly #open = new Map<number, { id: Promise<number>; untilMs: number }>()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Id of a store lease for an object that is to live `lifetimeMs`. */
  lease(lifetimeMs: number): Promise<number> {
    const now = this.#clock.monotonicMs()
    const open = this.#open.get(lifetimeMs)
    if (open && open.untilMs > now) return open.id
    const id = this.#store.grantLease(lifetimeMs + windowMs).then((lease) => lease.id)
    this.#open.set(lifetimeMs, { id, untilMs: now + windowMs })
    id.catch(() => this.#open.delete(lifetimeMs))
    return id
  }
}
