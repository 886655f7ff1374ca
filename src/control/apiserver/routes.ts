import findMyWay, { type HTTPMethod } from 'find-my-way'
import { pathOf, type ResourceType, resourceTypes, type Verb } from '../../api/index.ts'
import { authorize, authorizePath } from './authorize.ts'
import { createObject, deleteCollection, listObjects, watchObjects } from './endpoints/collection.ts'
import type { Call, Endpoint } from './endpoints/endpoint.ts'
import { deleteObject, getObject, replaceObject } from './endpoints/object.ts'
import { patchObject } from './endpoints/patch.ts'
import { kubeletEndpoints, subresourceEndpoints } from './endpoints/subresources.ts'
import type { ApiRequest, Handler, Reply } from './http/message.ts'
import type { KubeletConnection } from './kubelet/connection.ts'
import { streamToKubelet, type Upgrade, upgradeRequired } from './kubelet/streams.ts'
import type { Registry } from './registry/registry.ts'
import { StatusError } from './status.ts'

/** What lies behind a path and a method. */
type Route = { handler: Handler } | ResourceRoute
type ResourceRoute = { type: ResourceType; verb: Verb; subresource?: string; endpoint: Endpoint }
type Params = Readonly<Record<string, string | undefined>>

const verbByMethod: Record<string, Verb> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** Routes by path: the fixed documents and, for each row of the resource table, its collections, objects and parts. */
export class Routes {
  readonly #router = findMyWay({ maxParamLength: 300, caseSensitive: true, ignoreTrailingSlash: true })
  readonly #registry: Registry
  readonly #paths = findMyWay({ maxParamLength: 300, caseSensitive: true, ignoreTrailingSlash: true })
  readonly #seen = new Set<string>()
  readonly #kubelets: KubeletConnection

  constructor(registry: Registry, documents: ReadonlyMap<string, Handler>, kubelets: KubeletConnection) {
    this.#registry = registry
    this.#kubelets = kubelets
    for (const [path, handler] of documents) this.#add('GET', path, { handler })
    for (const type of resourceTypes) this.#addResource(type)
  }

  /** Finds, authorizes and answers. Throws StatusErrors. */
  readonly handle: Handler = async (request) => {
    const { route, params } = this.#find(request)
    if ('handler' in route) {
      authorizePath(request.user, request.path, request.method.toLowerCase())
      return route.handler(request)
    }
    return this.#call(route, params, request)
  }

  /** Takes over a connection for exec, attach or port-forward. Throws StatusErrors before it has. */
  async handleUpgrade(request: ApiRequest, upgrade: Upgrade): Promise<void> {
    const { route, params } = this.#find(request)
    if ('handler' in route || route.endpoint !== upgradeRequired) {
      throw new StatusError('BadRequest', 'this path is no stream: ask for it without an upgrade')
    }
    const call = this.#authorized(route, params, request, () => undefined)
    const { log } = this.#registry
    await streamToKubelet(this.#kubelets, call, route.subresource ?? '', upgrade, log)
  }

  #find(request: ApiRequest): { route: Route; params: Params } {
    const found = this.#router.find(request.method as HTTPMethod, request.path)
    const route = found?.store as Route | null | undefined
    if (found && route) return { route, params: found.params }
    authorizePath(request.user, request.path, request.method.toLowerCase())
    if (this.#paths.find('GET', request.path)) {
      const message = 'the server does not allow this method on the requested resource'
      throw new StatusError('MethodNotAllowed', message, {})
    }
    throw new StatusError('NotFound', 'the server could not find the requested resource', {})
  }

  async #call(route: ResourceRoute, params: Params, request: ApiRequest): Promise<Reply> {
    const warnings: string[] = []
    const call = this.#authorized(route, params, request, (message) => warnings.push(message))
    const reply = await (call.verb === 'watch' ? watchObjects : route.endpoint)(call)
    if (warnings.length === 0) return reply
    const warning = warnings.map((text) => `299 - ${JSON.stringify(text)}`)
    return { ...reply, headers: { ...reply.headers, warning } }
  }

  #authorized(
    route: ResourceRoute,
    params: Params,
    request: ApiRequest,
    warn: (message: string) => void,
  ): Call {
    const { type, subresource } = route
    const { namespace, name } = params
    const verb = route.verb === 'list' && isWatch(request) ? 'watch' : route.verb
    authorize(request.user, { verb, group: type.group, resource: type.plural, subresource, namespace, name })
    const kind = this.#registry.kind(type)
    return { registry: this.#registry, request, kind, verb, namespace, name: name ?? '', warn }
  }

  #addResource(type: ResourceType): void {
    const may = new Set(type.verbs)
    const place = type.namespaced ? { namespace: ':namespace' } : {}
    if (type.namespaced && may.has('list'))
      this.#add('GET', pathOf(type), { type, verb: 'list', endpoint: listObjects })
    const collection = unescaped(pathOf(type, place))
    const object = unescaped(pathOf(type, { ...place, name: ':name' }))
    const table: [HTTPMethod, string, Verb, Endpoint][] = [
      ['GET', collection, 'list', listObjects],
      ['POST', collection, 'create', createObject],
      ['DELETE', collection, 'deletecollection', deleteCollection],
      ['GET', object, 'get', getObject],
      ['PUT', object, 'update', replaceObject('main')],
      ['PATCH', object, 'patch', patchObject('main')],
      ['DELETE', object, 'delete', deleteObject],
    ]
    for (const [method, path, verb, endpoint] of table) {
      if (may.has(verb)) this.#add(method, path, { type, verb, endpoint })
    }
    for (const { name } of type.subresources) this.#addSubresource(type, name, `${object}/${name}`)
  }

  #addSubresource(type: ResourceType, subresource: string, path: string): void {
    for (const [method, endpoint] of subresourceEndpoints(
      type,
      subresource,
      kubeletEndpoints(this.#kubelets),
    )) {
      const verb = verbByMethod[method] ?? 'get'
      this.#add(method, path, { type, verb, subresource, endpoint })
    }
  }

  #add(method: HTTPMethod, path: string, route: Route): void {
    this.#router.on(method, path, nothing, route)
    if (this.#seen.has(path)) return
    this.#seen.add(path)
    this.#paths.on('GET', path, nothing)
  }
}

/** find-my-way calls handlers itself when asked to; we only look up. */
function nothing(): void {}

/** pathOf escapes the colon of a route parameter. */
function unescaped(path: string): string {
  return path.replaceAll('%3A', ':')
}

function isWatch({ query }: ApiRequest): boolean {
  const value = query.get('watch')
  return value !== null && value !== 'false' && value !== '0'
}
