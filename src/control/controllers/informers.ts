import { setMaxListeners } from 'node:events'
import { type ApiClient, Informer, type KubernetesObject, type ResourceType } from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'

/**
 * One informer a kind, shared by all controllers. Each has two indexes: `namespace`, and `owner`, the uids of an
 * object's owners.
 */
export class SharedInformers {
  readonly #options: { client: ApiClient; clock: Clock; log: Logger }
  // Each informer is stored under the type that made it, so the cast in `of` gives back what was put in.
  readonly #byType = new Map<ResourceType, Informer<KubernetesObject>>()

  constructor(options: { client: ApiClient; clock: Clock; log: Logger }) {
    this.#options = options
  }

  of<T extends KubernetesObject>(type: ResourceType<T>): Informer<T> {
    const key = type as unknown as ResourceType
    const known = this.#byType.get(key) as unknown as Informer<T> | undefined
    if (known) return known
    const made = new Informer<T>({
      ...this.#options,
      type,
      indexes: {
        namespace: (object) => (object.metadata.namespace ? [object.metadata.namespace] : []),
        owner: (object) => (object.metadata.ownerReferences ?? []).map(({ uid }) => uid),
      },
    })
    this.#byType.set(key, made as unknown as Informer<KubernetesObject>)
    return made
  }

  /** Starts all that were asked for so far and waits until each has its first list. */
  async start(signal: AbortSignal): Promise<void> {
    const informers = [...this.#byType.values()]
    setMaxListeners(0, signal) // every informer listens to it: many are no leak
    for (const informer of informers) informer.start(signal)
    await Promise.all(informers.map(({ synced }) => synced))
  }

  async stopped(): Promise<void> {
    await Promise.all([...this.#byType.values()].map((informer) => informer.stopped()))
  }
}
