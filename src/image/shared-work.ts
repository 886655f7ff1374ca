import { abortable } from '../base/index.ts'

/**
 * Work with a name that several callers want at once is done once. Each caller may give up by its own signal; the
 * work itself is aborted only when the last of them has, who then waits until it has cleaned up. What fails is
 * forgotten, so the next caller starts anew.
 */
export class SharedWork<Result> {
  readonly #running = new Map<string, Shared<Result>>()

  async run(
    name: string,
    start: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    signal?.throwIfAborted()
    const shared = this.#running.get(name) ?? this.#start(name, start)
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
