import { randomUUID } from 'node:crypto'
import { findResource, type KubernetesObject, type ResourceType } from '../../../api/index.ts'
import type { Clock, Logger } from '../../../base/index.ts'
import type { Entry, Store } from '../../store/index.ts'
import { type Named, notFound } from '../status.ts'
import type { Strategy } from '../strategies/strategy.ts'
import { LeasePool } from './lease-pool.ts'
import { type Served, ServedCache } from './served.ts'
import { type View, views } from './views.ts'

export interface RegistryOptions {
  store: Store
  clock: Clock
  log: Logger
  strategies: ReadonlyMap<ResourceType, Strategy>
  /** Chance in [0, 1): names, choice of addresses. */
  random?: () => number
}

/** A row of the resource table with all that serving it needs. */
export interface Kind {
  type: ResourceType
  /** The row whose objects are stored: the type itself but for views. */
  stored: ResourceType
  view: View | undefined
  strategy: Strategy
  cache: ServedCache
  /** Key prefix of all its objects, with a slash at the end. */
  prefix: string
}

/** An object, or where it would be. */
export interface Target {
  kind: Kind
  namespace: string | undefined
  name: string
}

/** The objects of the cluster: where they lie in the store, and what is the same for every verb. */
export class Registry {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly leases: LeasePool
  readonly #strategies: ReadonlyMap<ResourceType, Strategy>
  readonly #kinds = new Map<ResourceType, Kind>()

  constructor(options: RegistryOptions) {
    this.store = options.store
    this.clock = options.clock
    this.log = options.log
    this.random = options.random ?? Math.random
    this.leases = new LeasePool(options.store, options.clock)
    this.#strategies = options.strategies
  }

  kind(type: ResourceType): Kind {
    let kind = this.#kinds.get(type)
    if (!kind) {
      kind = this.#makeKind(type)
      this.#kinds.set(type, kind)
    }
    return kind
  }

  /** The present version; undefined when there is none. */
  async find(target: Target): Promise<Served | undefined> {
    const entry = await this.findEntry(target)
    return entry && target.kind.cache.live(entry)
  }

  async findEntry(target: Target): Promise<Entry | undefined> {
    return (await this.store.get(keyOf(target))).entry
  }

  async get(target: Target): Promise<Served> {
    const served = await this.find(target)
    if (!served) throw notFound(named(target))
    return served
  }

  newUid(): string {
    return randomUUID()
  }

  #makeKind(type: ResourceType): Kind {
    const { viewOf } = type
    const stored = viewOf ? findResource(viewOf.group, viewOf.version, viewOf.plural) : type
    if (!stored) throw new Error(`${type.plural} is a view of a resource that is not served`)
    const view = viewOf && views.get(`${type.group}/${type.version}/${type.plural}`)
    return {
      type,
      stored,
      view,
      strategy: this.#strategies.get(stored) ?? {},
      cache: new ServedCache(type, stored, view),
      prefix: `/registry/${stored.group === '' ? '' : `${stored.group}/`}${stored.plural}/`,
    }
  }
}

export function keyOf({ kind, namespace, name }: Target): string {
  return `${prefixOf(kind, namespace)}${name}`
}

/** Prefix of one namespace's objects, or of all when no namespace is given. */
export function prefixOf(kind: Kind, namespace: string | undefined): string {
  return kind.type.namespaced && namespace !== undefined ? `${kind.prefix}${namespace}/` : kind.prefix
}

/** The form in which strategies, claims and the store have an object: another one only for views. */
export function storedForm({ view }: Kind, object: KubernetesObject): KubernetesObject {
  return view ? view.toStored(object) : object
}

export function named({ kind, name }: Pick<Target, 'kind' | 'name'>): Named {
  return { group: kind.type.group, resource: kind.type.plural, name }
}

export function targetOf(kind: Kind, { metadata }: KubernetesObject): Target {
  return { kind, namespace: kind.type.namespaced ? metadata.namespace : undefined, name: metadata.name ?? '' }
}
