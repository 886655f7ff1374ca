import { apiVersionOf, type KubernetesObject, type ResourceType } from '../../../api/index.ts'
import type { Entry } from '../../store/index.ts'
import type { View } from './views.ts'

/**
 * Objects lie in the store as JSON without a resourceVersion, which nobody knows before the commit. It is spliced
 * into the bytes when they are first served: every stored object begins `{"kind":…,"apiVersion":…,"metadata":{`, so
 * the place is known without parsing. The same bytes then go to every reader and watcher.
 */
export function encode(type: ResourceType, object: KubernetesObject): Buffer {
  const { kind: _kind, apiVersion: _version, metadata: all, ...rest } = object
  const { resourceVersion: _revision, selfLink: _link, managedFields: _managed, ...metadata } = all
  const { kind } = type
  return Buffer.from(JSON.stringify({ kind, apiVersion: apiVersionOf(type), metadata, ...rest }))
}

/** One version of an object as it is given out. Shared by all who read it: `object` must not be changed. */
export class Served {
  readonly type: ResourceType
  readonly revision: number
  readonly json: Buffer
  #object: KubernetesObject | undefined
  readonly #lines = new Map<string, Buffer>()

  constructor(type: ResourceType, json: Buffer, revision: number) {
    this.type = type
    this.json = json
    this.revision = revision
  }

  get object(): KubernetesObject {
    this.#object ??= JSON.parse(this.json.toString()) as KubernetesObject
    return this.#object
  }

  /** A copy to change. */
  copy(): KubernetesObject {
    return JSON.parse(this.json.toString()) as KubernetesObject
  }

  /** The line of a watch stream: made once for all watchers that want the whole object. */
  watchLine(event: string): Buffer {
    let line = this.#lines.get(event)
    if (!line) {
      line = Buffer.concat([Buffer.from(`{"type":"${event}","object":`), this.json, Buffer.from('}\n')])
      this.#lines.set(event, line)
    }
    return line
  }
}

/** Stored bytes of `stored` as an object of `type` (another row only for views) at this revision. */
export function serve(
  type: ResourceType,
  stored: ResourceType,
  bytes: Uint8Array,
  revision: number,
  view?: View,
): Served {
  const json = spliceRevision(stored, bytes, revision)
  if (!view) return new Served(type, json, revision)
  const object = view.fromStored(JSON.parse(json.toString()) as KubernetesObject)
  return new Served(type, Buffer.from(JSON.stringify(object)), revision)
}

function spliceRevision(type: ResourceType, bytes: Uint8Array, revision: number): Buffer {
  const head = `{"kind":"${type.kind}","apiVersion":"${apiVersionOf(type)}","metadata":{`
  const insert = Buffer.from(`"resourceVersion":"${revision}",`)
  return Buffer.concat([bytes.subarray(0, head.length), insert, bytes.subarray(head.length)])
}

/** Served versions by store entry, and for removals by the entry that was removed. */
export class ServedCache {
  readonly #live = new WeakMap<Entry, Served>()
  readonly #removed = new WeakMap<Entry, Served>()
  readonly #type: ResourceType
  readonly #stored: ResourceType
  readonly #view: View | undefined

  constructor(type: ResourceType, stored: ResourceType, view: View | undefined) {
    this.#type = type
    this.#stored = stored
    this.#view = view
  }

  live(entry: Entry): Served {
    return this.#cached(this.#live, entry, entry.modRevision)
  }

  /** The last version of a removed object, under the revision of its removal. */
  removed(previous: Entry, revision: number): Served {
    return this.#cached(this.#removed, previous, revision)
  }

  #cached(map: WeakMap<Entry, Served>, entry: Entry, revision: number): Served {
    let served = map.get(entry)
    if (!served) {
      served = serve(this.#type, this.#stored, entry.value, revision, this.#view)
      map.set(entry, served)
    }
    return served
  }
}
