/**
 * An API server in memory, for tests of those who talk to one: a Transport with create, get, list, watch, replace
 * (also status), patches, delete, pod binding, resourceVersions, conflicts, selectors, finalizers, generateName.
 * No defaults, validation or admission: what the real server adds is tested against the real server.
 *
 *   const api = new FakeApi()
 *   await api.client.create(resources.pods, pod)
 *   api.refuse = ({ method }) => (method === 'PUT' ? { code: 409, reason: 'Conflict' } : undefined)
 */
import { randomUUID } from 'node:crypto'
import {
  ApiClient,
  apiVersionOf,
  applyMergePatch,
  applyStrategicMergePatch,
  fieldOf,
  findResource,
  type KubernetesObject,
  matchesFields,
  matchesLabels,
  nameOf,
  parseFieldSelector,
  parseSelector,
  type ResourceType,
  resources,
  type Status,
  type Transport,
  type TransportRequest,
  type TransportResponse,
  timestamp,
} from '../../src/api/index.ts'

interface Target {
  type: ResourceType
  namespace: string | undefined
  name: string | undefined
  subresource: string | undefined
}

interface Recorded {
  revision: number
  type: ResourceType
  event: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: KubernetesObject
  previous: KubernetesObject | undefined
}

type Stored = KubernetesObject & { spec?: Record<string, unknown>; status?: unknown }

export class FakeApi implements Transport {
  readonly client = new ApiClient(this)
  /** Every request seen, oldest first. */
  readonly requests: TransportRequest[] = []
  /** Set to answer chosen requests with an error instead. */
  refuse: ((request: TransportRequest) => Partial<Status> | undefined) | undefined
  readonly #objects = new Map<string, Stored>()
  readonly #history: Recorded[] = []
  readonly #watchers = new Set<() => void>()
  readonly #nowMs: () => number
  #revision = 1
  #compacted = 0
  #epoch = 0

  constructor(options: { nowMs?: () => number } = {}) {
    this.#nowMs = options.nowMs ?? Date.now
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    this.requests.push(request)
    request.signal?.throwIfAborted()
    try {
      const refusal = this.refuse?.(request)
      if (refusal) throw new Refusal(refusal)
      const target = targetOf(request.path)
      if (request.method === 'GET' && request.query?.['watch']) return this.#watch(target, request)
      return answer(request.method === 'POST' ? 201 : 200, this.#handle(target, request))
    } catch (error) {
      if (error instanceof Refusal) return answer(error.status.code ?? 500, error.status)
      throw error
    }
  }

  /** Forgets the history so that running and resumed watches get 410. */
  expireHistory(): void {
    this.#compacted = this.#revision
    this.#history.length = 0
  }

  /** Ends all running watches, as a server does at their timeout. */
  endWatches(): void {
    this.#epoch++
    for (const wake of this.#watchers) wake()
  }

  #handle(target: Target, request: TransportRequest): unknown {
    const body = request.body ? (JSON.parse(Buffer.from(request.body).toString()) as Stored) : undefined
    switch (request.method) {
      case 'GET':
        return target.name === undefined ? this.#list(target, request) : this.#get(target)
      case 'POST':
        return target.subresource ? this.#bind(target, body) : this.#create(target, body)
      case 'PUT':
        return this.#replace(target, body)
      case 'PATCH':
        return this.#patch(target, request, body)
      case 'DELETE':
        return target.name === undefined ? this.#deleteAll(target, request) : this.#delete(target, body)
    }
  }

  #get({ type, namespace, name }: Target): Stored {
    const object = this.#objects.get(storageKey(type, namespace, name))
    if (!object)
      throw new Refusal({ code: 404, reason: 'NotFound', message: `${type.plural} "${name}" not found` })
    return object
  }

  #list(target: Target, request: TransportRequest): unknown {
    const items = this.#select(target, request)
    return {
      apiVersion: apiVersionOf(target.type),
      kind: `${target.type.kind}List`,
      metadata: { resourceVersion: String(this.#revision) },
      items,
    }
  }

  #select(target: Target, request: TransportRequest): Stored[] {
    const prefix = `${target.type.group}/${target.type.plural}/`
    return [...this.#objects]
      .filter(([key, object]) => key.startsWith(prefix) && selects(target, request, object))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object)
  }

  #create({ type, namespace }: Target, body: Stored | undefined): Stored {
    if (!body) throw new Refusal({ code: 400, reason: 'BadRequest', message: 'no body' })
    const name = body.metadata.name ?? `${body.metadata.generateName}${randomUUID().slice(0, 5)}`
    const key = storageKey(type, namespace, name)
    if (this.#objects.has(key))
      throw new Refusal({
        code: 409,
        reason: 'AlreadyExists',
        message: `${type.plural} "${name}" already exists`,
      })
    const metadata = {
      ...body.metadata,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: timestamp(this.#nowMs()),
    }
    return this.#write(type, key, { ...body, metadata })
  }

  #replace(target: Target, body: Stored | undefined): Stored {
    const old = this.#get(target)
    if (!body) throw new Refusal({ code: 400, reason: 'BadRequest', message: 'no body' })
    const version = body.metadata.resourceVersion
    if (version && version !== old.metadata.resourceVersion)
      throw new Refusal({
        code: 409,
        reason: 'Conflict',
        message: `${nameOf(old)}: the object has been modified`,
      })
    const keepsStatus = target.type.subresources.some(({ name }) => name === 'status')
    const next =
      target.subresource === 'status'
        ? { ...old, status: body.status }
        : { ...body, ...(keepsStatus && 'status' in old ? { status: old.status } : {}) }
    const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = old.metadata
    const fixed = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds }
    return this.#settle(target, { ...next, metadata: { ...next.metadata, ...fixed } })
  }

  #patch(target: Target, request: TransportRequest, body: unknown): Stored {
    const old = this.#get(target)
    switch (request.headers?.['content-type']) {
      case 'application/merge-patch+json':
        return this.#patched(target, applyMergePatch(old, body))
      case 'application/strategic-merge-patch+json':
        return this.#patched(target, applyStrategicMergePatch(old, body, target.type.definition))
      default:
        throw new Refusal({ code: 415, reason: 'UnsupportedMediaType', message: 'not served by the fake' })
    }
  }

  #patched(target: Target, object: unknown): Stored {
    return this.#replace(target, object as Stored)
  }

  #bind(target: Target, body: Stored | undefined): unknown {
    const { subresource } = target
    if (subresource !== 'binding')
      throw new Refusal({ code: 404, reason: 'NotFound', message: `no ${subresource}` })
    const pod = this.#get(target)
    if (pod.spec?.['nodeName'])
      throw new Refusal({ code: 409, reason: 'Conflict', message: 'pod is already bound' })
    const nodeName = fieldOf(body, 'target.name')
    this.#settle(target, { ...pod, spec: { ...pod.spec, nodeName } })
    return { kind: 'Status', apiVersion: 'v1', status: 'Success', code: 201 }
  }

  #delete(target: Target, body: unknown): unknown {
    const object = this.#get(target)
    const uid = fieldOf(body, 'preconditions.uid')
    if (uid && uid !== object.metadata.uid)
      throw new Refusal({ code: 409, reason: 'Conflict', message: 'the uid is another' })
    const graceSeconds = graceOf(object, body)
    if (graceSeconds > 0 || (object.metadata.finalizers ?? []).length > 0) {
      const metadata = {
        ...object.metadata,
        deletionTimestamp:
          object.metadata.deletionTimestamp ?? timestamp(this.#nowMs() + graceSeconds * 1_000),
        deletionGracePeriodSeconds: graceSeconds,
      }
      return this.#write(target.type, storageKey(target.type, target.namespace, target.name), {
        ...object,
        metadata,
      })
    }
    return this.#remove(target.type, object)
  }

  #deleteAll(target: Target, request: TransportRequest): unknown {
    for (const object of this.#select(target, request))
      this.#delete({ ...target, namespace: object.metadata.namespace, name: nameOf(object) }, undefined)
    return { kind: 'Status', apiVersion: 'v1', status: 'Success', code: 200 }
  }

  /** Writes a change; an object being deleted whose last finalizer went is gone with it. */
  #settle(target: Target, object: Stored): Stored {
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
    if (deletionTimestamp && !finalizers?.length && !deletionGracePeriodSeconds)
      return this.#remove(target.type, object)
    return this.#write(target.type, storageKey(target.type, target.namespace, target.name), object)
  }

  #write(type: ResourceType, key: string, object: Stored): Stored {
    const previous = this.#objects.get(key)
    const stamped = this.#stamp(type, object)
    this.#objects.set(key, stamped)
    this.#record({ type, event: previous ? 'MODIFIED' : 'ADDED', object: stamped, previous })
    return stamped
  }

  #remove(type: ResourceType, object: Stored): Stored {
    const key = storageKey(type, object.metadata.namespace, nameOf(object))
    const previous = this.#objects.get(key)
    this.#objects.delete(key)
    const stamped = this.#stamp(type, object)
    this.#record({ type, event: 'DELETED', object: stamped, previous })
    return stamped
  }

  #stamp(type: ResourceType, object: Stored): Stored {
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) }
    return clone({ ...object, apiVersion: apiVersionOf(type), kind: type.kind, metadata })
  }

  #record(change: Omit<Recorded, 'revision'>): void {
    this.#history.push({ ...change, revision: this.#revision })
    for (const wake of this.#watchers) wake()
  }

  #watch(target: Target, request: TransportRequest): TransportResponse {
    const from = request.query?.['resourceVersion']
    const events = this.#follow(target, request, from ? Number(from) : undefined)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: events }
  }

  async *#follow(
    target: Target,
    request: TransportRequest,
    from: number | undefined,
  ): AsyncIterable<Uint8Array> {
    const epoch = this.#epoch
    let seen = from ?? this.#revision
    if (from === undefined)
      for (const object of this.#select(target, request)) yield line({ type: 'ADDED', object })
    while (epoch === this.#epoch) {
      request.signal?.throwIfAborted()
      if (seen < this.#compacted) {
        yield line({ type: 'ERROR', object: statusOf({ code: 410, reason: 'Expired', message: 'too old' }) })
        return
      }
      for (const change of this.#history.filter(({ revision }) => revision > seen)) {
        seen = change.revision
        const event = eventFor(target, request, change)
        if (event) yield line(event)
      }
      if (seen === this.#revision || this.#history.at(-1)?.revision === seen)
        await this.#changed(request.signal)
      else if (this.#history.length === 0) await this.#changed(request.signal)
    }
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#watchers.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#watchers.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }
}

class Refusal extends Error {
  readonly status: Partial<Status>
  constructor(status: Partial<Status>) {
    super(status.message)
    this.status = statusOf(status)
  }
}

function statusOf(status: Partial<Status>): Partial<Status> {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', ...status } as Partial<Status>
}

function targetOf(path: string): Target {
  const parts = path.split('/').slice(1).map(decodeURIComponent)
  const core = parts[0] === 'api'
  const [group = '', version = ''] = core ? ['', parts[1]] : [parts[1], parts[2]]
  const rest = parts.slice(core ? 2 : 3)
  const scoped = rest[0] === 'namespaces' && rest.length > 2 && findResource(group, version, rest[2] ?? '')
  const [plural = '', name, subresource] = scoped ? rest.slice(2) : rest
  const type = findResource(group, version, plural)
  if (!type)
    throw new Refusal({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource',
    })
  return { type, namespace: scoped ? rest[1] : undefined, name, subresource }
}

function storageKey(type: ResourceType, namespace: string | undefined, name: string | undefined): string {
  return `${type.group}/${type.plural}/${namespace ? `${namespace}/` : ''}${name}`
}

function selects(target: Target, { query }: TransportRequest, object: KubernetesObject): boolean {
  if (target.namespace !== undefined && object.metadata.namespace !== target.namespace) return false
  if (!matchesLabels(parseSelector(String(query?.['labelSelector'] ?? '')), object.metadata.labels))
    return false
  const fields = parseFieldSelector(String(query?.['fieldSelector'] ?? ''))
  return matchesFields(fields, (field) => fieldOf(object, field))
}

/** An object that leaves a selector is DELETED for that watcher, one that enters it ADDED. */
function eventFor(target: Target, request: TransportRequest, change: Recorded): unknown {
  if (change.type !== target.type) return undefined
  const before = change.previous !== undefined && selects(target, request, change.previous)
  const after = change.event !== 'DELETED' && selects(target, request, change.object)
  if (after) return { type: before ? 'MODIFIED' : 'ADDED', object: change.object }
  return before ? { type: 'DELETED', object: change.object } : undefined
}

function graceOf(object: Stored, options: unknown): number {
  if (object.kind !== resources.pods.kind || !object.spec?.['nodeName']) return 0
  const asked = fieldOf(options, 'gracePeriodSeconds')
  return asked === '' ? Number(object.spec['terminationGracePeriodSeconds'] ?? 30) : Number(asked)
}

function answer(status: number, body: unknown): TransportResponse {
  const bytes = Buffer.from(JSON.stringify(body))
  async function* stream() {
    yield bytes
  }
  return { status, headers: { 'content-type': 'application/json' }, body: stream() }
}

function line(event: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(event)}\n`)
}

function clone<V>(value: V): V {
  return JSON.parse(JSON.stringify(value)) as V
}
