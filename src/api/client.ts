import { KeelsonError } from '../base/index.ts'
import { apiVersionOf, type KubernetesObject, pathOf, type ResourceType } from './resource-type.ts'
import { errorOfStatus } from './status-error.ts'
import {
  formatQuery,
  parseJson,
  type Query,
  readAll,
  readLines,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts'
import type { DeleteOptions, Status } from './types/index.ts'

/** Where an object is. `namespace` is left out for cluster-wide kinds. */
export interface ObjectRef {
  namespace?: string | undefined
  name: string
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Further query parameters: `fieldValidation`, `dryRun`, `fieldManager` … */
  query?: Query | undefined
}

export interface ListOptions extends CallOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  limit?: number | undefined
  continue?: string | undefined
  resourceVersion?: string | undefined
}

export interface ObjectList<T> {
  items: T[]
  resourceVersion: string
  /** Token of the next page; undefined on the last. */
  continue: string | undefined
  remainingItemCount: number | undefined
}

export interface WatchOptions extends CallOptions {
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
  resourceVersion?: string | undefined
  allowWatchBookmarks?: boolean | undefined
  timeoutSeconds?: number | undefined
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | {
      type: 'BOOKMARK'
      object: {
        metadata: { resourceVersion: string; annotations?: Record<string, string> | undefined }
      }
    }

export type Patch =
  | { type: 'json'; patch: readonly unknown[] }
  | { type: 'merge' | 'strategic'; patch: unknown }
  | { type: 'apply'; patch: unknown; fieldManager: string; force?: boolean }

const patchContentType = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/**
 * Typed calls on an API server; the row of `resources` gives the type:
 * `await client.get(resources.pods, { namespace: 'default', name: 'web' })` is a `Pod`.
 *
 * A refusal of the server is a KeelsonError whose code follows the Status (NOT_FOUND, ALREADY_EXISTS, CONFLICT,
 * EXPIRED, INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED …) and whose cause is the Status itself.
 */
export class ApiClient {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  async get<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#json('get', { method: 'GET', path: pathOf(type, ref) }, options)
  }

  /** As `get`, but undefined where the object does not exist. */
  async find<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get(type, ref, options)
    } catch (error) {
      if (error instanceof KeelsonError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  async list<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: ListOptions = {},
  ): Promise<ObjectList<T>> {
    const { namespace, labelSelector, fieldSelector, limit, resourceVersion } = options
    const query = { labelSelector, fieldSelector, limit, resourceVersion, continue: options.continue }
    const path = pathOf(type, { namespace })
    const list = await this.#json<RawList<T>>('list', { method: 'GET', path }, withQuery(options, query))
    const tag = { apiVersion: apiVersionOf(type), kind: type.kind }
    return {
      items: (list.items ?? []).map((item) => ({ ...tag, ...item })),
      resourceVersion: list.metadata.resourceVersion ?? '',
      continue: list.metadata.continue || undefined,
      remainingItemCount: list.metadata.remainingItemCount,
    }
  }

  /** The object's own namespace and name decide where; generateName is the server's to fill. */
  async create<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    const path = pathOf(type, { namespace: object.metadata.namespace })
    return this.#json('create', { method: 'POST', path, body: encode(tagged(type, object)) }, options)
  }

  /** Full replacement; CONFLICT when the object's resourceVersion is not the newest. */
  async replace<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#put(type, object, undefined, options)
  }

  async replaceStatus<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#put(type, object, 'status', options)
  }

  /** PUT of the whole object to one of its subresources: `finalize`. */
  async replaceSubresource<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    subresource: string,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#put(type, object, subresource, options)
  }

  async patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options: CallOptions & { subresource?: string } = {},
  ): Promise<T> {
    const query = patch.type === 'apply' ? { fieldManager: patch.fieldManager, force: patch.force } : {}
    const request = {
      method: 'PATCH' as const,
      path: pathOf(type, { ...ref, subresource: options.subresource }),
      headers: { 'content-type': patchContentType[patch.type] },
      body: encode(patch.patch),
    }
    return this.#json('patch', request, withQuery(options, query))
  }

  /** Resolves with the last state of the object, or with a Status where the server gives none. */
  async delete<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options: CallOptions & DeleteRequest = {},
  ): Promise<T | Status> {
    const request = { method: 'DELETE' as const, path: pathOf(type, ref), body: deleteBody(options) }
    return this.#json('delete', request, options)
  }

  async deleteCollection(type: ResourceType, options: ListOptions & DeleteRequest = {}): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = options
    const path = pathOf(type, { namespace })
    const request = { method: 'DELETE' as const, path, body: deleteBody(options) }
    await this.#json('delete', request, withQuery(options, { labelSelector, fieldSelector }))
  }

  /**
   * The changes of a collection, from `resourceVersion` on. Ends when the server ends it (timeoutSeconds); an ERROR
   * event is thrown, EXPIRED when that version is no longer kept.
   */
  async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncIterable<WatchEvent<T>> {
    const { namespace, signal, query, ...rest } = options
    const path = pathOf(type, { namespace })
    const response = await this.#checked(
      'watch',
      { method: 'GET', path, signal, headers: { accept: 'application/json' } },
      { ...rest, ...query, watch: true },
    )
    for await (const line of readLines(response.body)) {
      const event = parseJson<WatchEvent<T> | { type: 'ERROR'; object: Status }>(line, 'watch event')
      if (event.type === 'ERROR')
        throw errorOfStatus(event.object, event.object.code ?? 500, { op: 'watch', id: path })
      yield event
    }
  }

  /** POST to a subresource: `binding`, `eviction`, `token`. */
  async postSubresource<R>(
    type: ResourceType,
    ref: ObjectRef,
    subresource: string,
    body: unknown,
    options: CallOptions = {},
  ): Promise<R> {
    const request = {
      method: 'POST' as const,
      path: pathOf(type, { ...ref, subresource }),
      body: encode(body),
    }
    return this.#json(subresource, request, options)
  }

  /** GET of any path as bytes: `log`, `/healthz`, `/openapi/v2`. */
  async read(path: string, options: CallOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#checked(
      'read',
      { method: 'GET', path, signal: options.signal },
      options.query,
    )
    return response.body
  }

  #put<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    subresource: string | undefined,
    options: CallOptions,
  ): Promise<T> {
    const { namespace, name } = object.metadata
    const path = pathOf(type, { namespace, name, subresource })
    return this.#json('replace', { method: 'PUT', path, body: encode(tagged(type, object)) }, options)
  }

  async #json<R>(op: string, request: TransportRequest, options: CallOptions): Promise<R> {
    const headers = {
      accept: 'application/json',
      ...(request.body ? { 'content-type': 'application/json' } : {}),
      ...request.headers,
    }
    const response = await this.#checked(op, { ...request, headers, signal: options.signal }, options.query)
    return parseJson<R>((await readAll(response.body)).toString(), `answer to ${op} ${request.path}`)
  }

  async #checked(op: string, request: TransportRequest, query?: Query): Promise<TransportResponse> {
    const response = await this.#transport.request({ ...request, query })
    if (response.status < 300) return response
    const text = (await readAll(response.body)).toString()
    throw errorOfStatus(statusOf(text), response.status, { op, id: `${request.path}${formatQuery(query)}` })
  }
}

/** Part of metav1.DeleteOptions that callers use. */
export type DeleteRequest = Pick<DeleteOptions, 'gracePeriodSeconds' | 'propagationPolicy' | 'preconditions'>

interface RawList<T> {
  items?: T[]
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number }
}

function withQuery(options: CallOptions, query: Query): CallOptions {
  return { signal: options.signal, query: { ...query, ...options.query } }
}

function tagged<T extends KubernetesObject>(type: ResourceType<T>, object: T): T {
  return { ...object, apiVersion: apiVersionOf(type), kind: type.kind }
}

function deleteBody({ gracePeriodSeconds, propagationPolicy, preconditions }: DeleteRequest): Uint8Array {
  return encode({
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds,
    propagationPolicy,
    preconditions,
  })
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function statusOf(text: string): Partial<Status> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Partial<Status>
  } catch {
    // Not from an API server: a proxy's page, or nothing. The text is the best message there is.
  }
  return text.trim() === '' ? {} : { message: text.trim().slice(0, 500) }
}
