/**
 * Work by key, done once: a caller that asks while it is being done gets the same promise. For requests that a
 * client repeats after it gave up waiting.
 */
export class Joined<Result> {
  readonly #running = new Map<string, Promise<Result>>()

  run(key: string, work: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key)
    if (running) return running
    const started = work().finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return started
  }

  /** Resolves when nothing runs under this key, however it ended. */
  async settled(key: string): Promise<void> {
    await this.#running.get(key)?.catch(() => undefined)
  }

  /** Resolves when nothing runs at all. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }
}
