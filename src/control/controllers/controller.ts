import type { ApiClient, Informer, KubernetesObject, ObjectKey } from '../../api/index.ts'
import { type Clock, type Logger, type Outcome, WorkQueue } from '../../base/index.ts'
import type { SharedInformers } from './informers.ts'

/**
 * A controller makes the world what one kind of object asks for. It is given a key and looks at want and have; it
 * never learns which event woke it. `watch` says which keys a change of another object concerns.
 */
export interface ControllerContext {
  client: ApiClient
  informers: SharedInformers
  clock: Clock
  log: Logger
  /** Resolves when every informer has its first list. Before that a cache looks emptier than the world is. */
  synced: Promise<void>
}

export interface ControllerSpec {
  name: string
  concurrency?: number
  // biome-ignore lint/suspicious/noConfusingVoidType: most reconcilers have nothing to say
  reconcile(key: ObjectKey): Promise<Outcome | void>
}

export class Controller {
  readonly #queue: WorkQueue<ObjectKey>

  constructor(
    { name, concurrency = 4, reconcile }: ControllerSpec,
    { clock, log, synced }: Pick<ControllerContext, 'clock' | 'log' | 'synced'>,
  ) {
    this.#queue = new WorkQueue<ObjectKey>({
      clock,
      concurrency,
      backoffMinMs: 20,
      backoffMaxMs: 30_000,
      worker: async (key) => {
        await synced
        return reconcile(key)
      },
      onError: (key, error, attempt) => log.warn(`${name} failed`, { key, error, attempt }),
    })
  }

  enqueue(key: ObjectKey): void {
    this.#queue.add(key)
  }

  enqueueAfter(key: ObjectKey, delayMs: number): void {
    this.#queue.addAfter(key, delayMs)
  }

  /** Queues the keys that each change of the informer's objects concerns, old and new state alike. */
  watch<T extends KubernetesObject>(informer: Informer<T>, keys: (object: T) => Iterable<ObjectKey>): void {
    informer.onChange(({ object, old }) => {
      for (const key of keys(object)) this.enqueue(key)
      if (old) for (const key of keys(old)) this.enqueue(key)
    })
  }

  close(): Promise<void> {
    return this.#queue.close()
  }
}
