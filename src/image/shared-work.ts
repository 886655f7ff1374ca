import { abortable } from '../base/index.ts'

/**
 * Work with a name that several callers want at once is done once. Each caller may give up by its own signal; the
 * work itself is aborted only when the last of them has, who then waits until it has cleaned up. What fails is
 * forgotten, so the next caller starts anew. Whoever had joined work that failed does so as well: it was done with
 * another caller's means, who perhaps had no credentials, or left and took its connections along.
 */
export class SharedWork<Result> {
  readonly #running = new Map<string, Shared<Result>>()

  async run(
    name: string,
    start: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    for (;;) {
      signal?.throwIfAborted()
      const joined = this.#running.get(name)
      if (!joined) return await this.#wait(name, this.#start(name, start), signal)
      try {
        return await this.#wait(name, joined, signal)
      } catch (error) {
        if (signal?.aborted) throw error
      }
    }
  }

  async #wait(name: string, shared: Shared<Result>, signal: AbortSignal | undefined): Promise<Result> {
    shared.waiting += 1
    try {
      return await abortable(shared.result, signal)
    } finally {
      shared.waiting -= 1
      if (shared.waiting === 0) await this.#leave(name, shared)
    }
  }

  /** Resolves when nothing is running any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0)
      await Promise.allSettled([...this.#running.values()].map(({ result }) => result))
  }

  #start(name: string, start: (signal: AbortSignal) => Promise<Result>): Shared<Result> {
    const controller = new AbortController()
    const result = start(controller.signal)
    const shared = { result, controller, waiting: 0 }
    this.#running.set(name, shared)
    const forget = () => this.#forget(name, shared)
    result.then(forget, forget)
    return shared
  }

  async #leave(name: string, shared: Shared<Result>): Promise<void> {
    this.#forget(name, shared) // whoever comes now must not join work that is being given up
    shared.controller.abort()
    await shared.result.catch(() => undefined)
  }

  #forget(name: string, shared: Shared<Result>): void {
    if (this.#running.get(name) === shared) this.#running.delete(name)
  }
}

interface Shared<Result> {
  result: Promise<Result>
  controller: AbortController
  waiting: number
}
