/**
 * A collection of the API kept in memory: one list, then watches from where it ended.
 *
 * - Level, not edge: listeners hear what changed, but the state is always there to be read (`get`, `list`, `by`).
 * - `synced` resolves after the first list. A listener added later first hears of every object there is.
 * - A watch that ends is resumed where it was; a version no longer kept (410) makes a new list, whose difference
 *   to the old state is told as changes. Failures wait, doubling from 100 ms to 10 s.
 * - Objects are frozen to their depths, for they are shared by everybody who reads them.
 */
import { asKeelsonError, type Clock, hasCode, type Logger } from '../base/index.ts'
import type { ApiClient, WatchEvent } from './client.ts'
import { IndexedObjects, type Indexes } from './indexed-objects.ts'
import type { ObjectKey } from './meta.ts'
import { keyOf } from './meta.ts'
import type { KubernetesObject, ResourceType } from './resource-type.ts'

export type ChangeType = 'added' | 'updated' | 'removed'

export interface Change<T> {
  type: ChangeType
  key: ObjectKey
  /** The present state; of a removed object the last one known. */
  object: T
  /** The state before, of an updated object. */
  old: T | undefined
}

export interface InformerOptions<T extends KubernetesObject> {
  client: ApiClient
  type: ResourceType<T>
  clock: Clock
  log: Logger
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  indexes?: Indexes<T>
}

const backoffMinMs = 100
const backoffMaxMs = 10_000
const watchTimeoutSeconds = 480

export class Informer<T extends KubernetesObject> {
  /** Resolves when the first list has been taken in; rejects when stopped before. */
  readonly synced: Promise<void>
  readonly #options: InformerOptions<T>
  readonly #objects: IndexedObjects<T>
  readonly #listeners = new Set<(change: Change<T>) => void>()
  readonly #markSynced: () => void
  readonly #failSynced: (error: unknown) => void
  #resourceVersion: string | undefined
  #stopped: Promise<void> | undefined

  constructor(options: InformerOptions<T>) {
    this.#options = options
    this.#objects = new IndexedObjects(options.indexes ?? {})
    let resolveSynced = () => {}
    let rejectSynced: (error: unknown) => void = () => {}
    this.synced = new Promise((resolve, reject) => {
      resolveSynced = resolve
      rejectSynced = reject
    })
    this.synced.catch(() => undefined) // whoever does not wait for it need not hear of it
    this.#markSynced = resolveSynced
    this.#failSynced = rejectSynced
  }

  /** Begins once; runs until the signal is aborted. `stopped()` tells when the last call to a listener is over. */
  start(signal: AbortSignal): void {
    this.#stopped ??= this.#run(signal).catch((error) => {
      this.#failSynced(error)
      if (!signal.aborted) this.#options.log.error('informer ended', { resource: this.#plural, error })
    })
  }

  stopped(): Promise<void> {
    return this.#stopped ?? Promise.resolve()
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key)
  }

  list(): T[] {
    return this.#objects.list()
  }

  /** Objects for which the index function gave this value. */
  by(index: string, value: string): T[] {
    return this.#objects.by(index, value)
  }

  /** Tells of every object there is, then of every change; the returned function ends it. */
  onChange(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener)
    for (const object of this.list()) listener({ type: 'added', key: keyOf(object), object, old: undefined })
    return () => this.#listeners.delete(listener)
  }

  get #plural(): string {
    return this.#options.type.plural
  }

  async #run(signal: AbortSignal): Promise<void> {
    let backoffMs = backoffMinMs
    const progressed = () => {
      backoffMs = backoffMinMs
    }
    while (true) {
      signal.throwIfAborted()
      try {
        if (this.#resourceVersion === undefined) await this.#relist(signal)
        await this.#follow(signal, progressed)
        await this.#options.clock.sleep(backoffMinMs, signal) // a server that ends watches at once must not spin us
      } catch (error) {
        signal.throwIfAborted()
        if (hasCode(error, 'EXPIRED')) this.#resourceVersion = undefined
        // A restart of the server is everyday; being refused is for somebody to look at.
        const everyday = hasCode(error, 'EXPIRED') || hasCode(error, 'UNAVAILABLE')
        const fields = { resource: this.#plural, error: asKeelsonError(error) }
        this.#options.log[everyday ? 'debug' : 'warn']('informer interrupted', fields)
        await this.#options.clock.sleep(backoffMs, signal)
        backoffMs = Math.min(backoffMaxMs, backoffMs * 2)
      }
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, labelSelector, fieldSelector } = this.#options
    const listed = await client.list(type, { namespace, labelSelector, fieldSelector, signal })
    const present = new Set<ObjectKey>()
    for (const object of listed.items) {
      present.add(keyOf(object))
      this.#put(object)
    }
    for (const object of this.list()) if (!present.has(keyOf(object))) this.#remove(object)
    this.#resourceVersion = listed.resourceVersion
    this.#markSynced()
  }

  async #follow(signal: AbortSignal, progressed: () => void): Promise<void> {
    const { client, type, namespace, labelSelector, fieldSelector } = this.#options
    const events = client.watch(type, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: this.#resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: watchTimeoutSeconds,
      signal,
    })
    for await (const event of events) {
      signal.throwIfAborted()
      this.#take(event)
      progressed()
    }
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'DELETED') this.#remove(event.object)
    else if (event.type !== 'BOOKMARK') this.#put(event.object)
    this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion
  }

  #put(object: T): void {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old && old.metadata.resourceVersion === object.metadata.resourceVersion) return
    if (old && old.metadata.uid !== object.metadata.uid) {
      this.#remove(old) // another object under the same name: nobody may take it for a change of the first
      this.#put(object)
      return
    }
    this.#objects.set(key, deepFreeze(object))
    this.#tell({ type: old ? 'updated' : 'added', key, object, old })
  }

  #remove(object: T): void {
    const key = keyOf(object)
    if (!this.#objects.delete(key)) return
    this.#tell({ type: 'removed', key, object: deepFreeze(object), old: undefined })
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        this.#options.log.error('informer listener failed', {
          resource: this.#plural,
          key: change.key,
          error,
        })
      }
    }
  }
}

/** Freezes a JSON value and everything in it; stops at what is frozen already. */
export function deepFreeze<V>(value: V): V {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of Object.values(value)) deepFreeze(member)
  return value
}
