import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../base/index.ts'
import { trimHeap } from '../kernel/index.ts'

/** Since the last work: by then idle threads have ended too (unpacking keeps its own for ten seconds). */
const quietMs = 12_000
/** What only asks. A kubelet does so every second, for as long as it lives. */
const asking = /^(List|Stream|Version|Status|RuntimeConfig|ImageFsInfo|GetContainerEvents)|(Status|Stats)$/

/**
 * V8 leaves garbage where it is while nobody allocates, and a server that has done something and waits keeps the memory
 * that it needed for it: 20 to 40 MiB after a start; malloc does likewise. So one full collection (some tens of
 * milliseconds, in which no call is answered) comes when no call has changed anything for a while; none comes under load.
 */
export class QuietCollector implements Disposable {
  readonly #clock: Clock
  readonly #collect: () => void
  #lastMs = 0
  #cancel: (() => void) | undefined

  constructor(clock: Clock, collect: () => void = collectAll) {
    this.#clock = clock
    this.#collect = collect
    this.#worked()
  }

  /** After each call, by its name on the wire. */
  ended(method: string): void {
    if (!asking.test(method)) this.#worked()
  }

  [Symbol.dispose](): void {
    this.#cancel?.()
  }

  #worked(): void {
    this.#lastMs = this.#clock.monotonicMs()
    this.#cancel ??= this.#clock.after(quietMs, () => this.#look())
  }

  #look(): void {
    const leftMs = this.#lastMs + quietMs - this.#clock.monotonicMs()
    this.#cancel = leftMs > 0 ? this.#clock.after(leftMs, () => this.#look()) : undefined
    if (leftMs <= 0) this.#collect()
  }
}

function collectAll(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  trimHeap()
}
