import type { Call } from './service.ts'

/**
 * What a unary method is told of its call. A signal costs an event target, and its abort an error with a stack: it is
 * made for those who ask for it, and gRPC's word that a call was cancelled, which comes at the end of every call, is
 * only heeded before the answer.
 */
export class UnaryCall implements Call {
  #abort: AbortController | undefined
  #state: 'open' | 'answered' | 'cancelled' = 'open'

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#state === 'cancelled') this.#abort.abort()
    return this.#abort.signal
  }

  answered(): void {
    this.#state = 'answered'
  }

  cancel(): void {
    if (this.#state !== 'open') return
    this.#state = 'cancelled'
    this.#abort?.abort()
  }
}
