import { type Clock, type Logger, WorkQueue } from '../base/index.ts'

export interface LeftoversOptions {
  clock: Clock
  log: Logger
  tearDown: (sandboxId: string) => Promise<void>
}

const [retryMinMs, retryMaxMs] = [5000, 300_000]

/**
 * Sandboxes that nobody will ask for again: what of their network cannot be taken down now is tried again, with growing
 * pauses, until it is. What is left when the process ends is found by recovery in the next one.
 */
export class Leftovers implements AsyncDisposable {
  readonly #options: LeftoversOptions
  readonly #queue: WorkQueue<string>

  constructor(options: LeftoversOptions) {
    const { clock, log, tearDown } = options
    this.#options = options
    this.#queue = new WorkQueue({
      clock,
      backoffMinMs: retryMinMs,
      backoffMaxMs: retryMaxMs,
      worker: tearDown,
      onError: (id, error) => log.warn('the network of a pod that is gone stays for now', { id, error }),
    })
  }

  /** Takes it down now or, after a failure, later: never fails. */
  async abandon(sandboxId: string): Promise<void> {
    const { tearDown, log } = this.#options
    await tearDown(sandboxId).catch((error: unknown) => {
      log.warn('the network of a pod that is gone stays for now', { id: sandboxId, error })
      this.later(sandboxId)
    })
  }

  /** For what was tried just now. */
  later(sandboxId: string): void {
    this.#queue.addAfter(sandboxId, retryMinMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close()
  }
}
