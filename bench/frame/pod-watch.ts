import { type ApiClient, hasCondition, Informer, type Pod, resources } from '../../src/api/index.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'

/** The pods of a namespace as a watch tells them; what is waited for is an event, never a poll. */
export class PodWatch implements AsyncDisposable {
  readonly #pods: Informer<Pod>
  readonly #stop = new AbortController()
  readonly #waiting = new Set<() => void>()

  constructor(client: ApiClient, namespace: string) {
    const type = resources.pods
    this.#pods = new Informer({ client, type, namespace, clock: systemClock, log: silentLogger })
    this.#pods.onChange(() => {
      for (const check of this.#waiting) check()
    })
  }

  async start(): Promise<void> {
    this.#pods.start(this.#stop.signal)
    await this.#pods.synced
  }

  /** Resolves at the event that makes it true of all pods together; fails after `timeoutMs`, naming it. */
  until(what: string, holds: (pods: readonly Pod[]) => boolean, timeoutMs = 30_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(late)
        this.#waiting.delete(check)
      }
      const check = () => {
        if (!holds(this.#pods.list())) return
        end()
        resolve()
      }
      const late = setTimeout(() => {
        end()
        reject(new Error(`waited ${timeoutMs} ms in vain: ${what}`))
      }, timeoutMs)
      this.#waiting.add(check)
      check()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#pods.stopped()
  }
}

export const allReady = (count: number) => (pods: readonly Pod[]) =>
  pods.length === count && pods.every((pod) => hasCondition(pod.status?.conditions, 'Ready'))

export const none = (pods: readonly Pod[]) => pods.length === 0
