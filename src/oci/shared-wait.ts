import { abortable } from '../base/index.ts'

/**
 * One piece of waiting for any number of waiters. The work begins with the first and is given up, by its signal,
 * when the last one has gone before it was done; so that nobody's connection stays open for nobody. A result is
 * kept, a failure is not: the next waiter begins anew.
 */
export class SharedWait<T> {
  readonly #begin: (signal: AbortSignal) => Promise<T>
  #running: { work: Promise<T>; giveUp: AbortController; waiters: number } | undefined
  #done: { value: T } | undefined

  constructor(begin: (signal: AbortSignal) => Promise<T>) {
    this.#begin = begin
  }

  async wait(signal?: AbortSignal): Promise<T> {
    if (this.#done) return this.#done.value
    signal?.throwIfAborted()
    this.#running ??= this.#start()
    const running = this.#running
    running.waiters++
    try {
      return await abortable(running.work, signal)
    } finally {
      running.waiters--
      if (running.waiters === 0) this.#end(running.giveUp)
    }
  }

  #start() {
    const giveUp = new AbortController()
    const work = this.#begin(giveUp.signal).then((value) => {
      this.#done = { value }
      return value
    })
    work.catch(() => undefined) // the last waiter may be gone when giving up makes it fail
    return { work, giveUp, waiters: 0 }
  }

  #end(giveUp: AbortController): void {
    this.#running = undefined
    if (!this.#done) giveUp.abort() // it makes an error with a stack, for nobody when the work is done
  }
}
