/**
 * Who may go when: the operations of one key one after the other, different keys side by side, and an operation that
 * is `alone` with none beside it. Whoever comes while one waits to be alone goes after it, so that it is not put off
 * for ever.
 */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #running = new Set<Promise<unknown>>()
  #gate: Promise<unknown> = Promise.resolve()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = [this.#gate, this.#last.get(key)]
    const turn = settled(before).then(work)
    this.#last.set(key, turn)
    this.#running.add(turn)
    try {
      return await turn
    } finally {
      this.#running.delete(turn)
      if (this.#last.get(key) === turn) this.#last.delete(key)
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = settled([this.#gate, ...this.#running]).then(work)
    this.#gate = turn
    return await turn
  }

  /** When everything that was asked for has ended. */
  async idle(): Promise<void> {
    await settled([this.#gate, ...this.#running])
  }
}

/** Whoever asked for those is told how they ended. */
function settled(turns: readonly (Promise<unknown> | undefined)[]): Promise<unknown> {
  return Promise.allSettled(turns)
}
