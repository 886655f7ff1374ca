/** Every operation of the API, derived from the resource table: what the OpenAPI documents of both versions list. */
import { apiVersionOf, pathOf, type ResourceType, type Subresource, type Verb } from '../resource-type.ts'
import { definitions, type GroupVersionKind } from '../schema/definitions.ts'

export type HttpMethod = 'get' | 'put' | 'post' | 'delete' | 'patch'

export interface Parameter {
  name: string
  in: 'path' | 'query'
  type: 'string' | 'integer' | 'boolean'
}

export interface Operation {
  path: string
  method: HttpMethod
  id: string
  /** What the API calls it: `list`, `post`, `connect` … */
  action: string
  kind: GroupVersionKind
  parameters: readonly Parameter[]
  /** Definition of the request's body. */
  body: string | undefined
  consumes: readonly string[]
  /** Definition of the answer; undefined for plain text. */
  answer: string | undefined
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const texts = (...names: string[]): Parameter[] =>
  names.map((name) => ({ name, in: 'query', type: 'string' }))
const flags = (...names: string[]): Parameter[] =>
  names.map((name) => ({ name, in: 'query', type: 'boolean' }))
const numbers = (...names: string[]): Parameter[] =>
  names.map((name) => ({ name, in: 'query', type: 'integer' }))

const selecting = [
  ...flags('allowWatchBookmarks', 'sendInitialEvents', 'watch'),
  ...texts('continue', 'fieldSelector', 'labelSelector', 'resourceVersion', 'resourceVersionMatch'),
  ...numbers('limit', 'timeoutSeconds'),
]
const writing = texts('dryRun', 'fieldManager', 'fieldValidation')
const deleting = [
  ...texts('dryRun', 'propagationPolicy'),
  ...flags('orphanDependents'),
  ...numbers('gracePeriodSeconds'),
]
const logging = [
  ...texts('container', 'sinceTime', 'stream'),
  ...flags('follow', 'insecureSkipTLSVerifyBackend', 'previous', 'timestamps'),
  ...numbers('limitBytes', 'sinceSeconds', 'tailLines'),
]
const executing = [...texts('container', 'command'), ...flags('stdin', 'stdout', 'stderr', 'tty')]

const anyBody = ['*/*']
const patchBodies = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]

type Shape = Pick<Operation, 'method' | 'action' | 'parameters' | 'consumes'> & {
  body: 'own' | string | undefined
}

const byVerb: Record<Exclude<Verb, 'watch' | 'list' | 'deletecollection' | 'create'>, Shape> = {
  get: { method: 'get', action: 'get', parameters: [], consumes: anyBody, body: undefined },
  update: { method: 'put', action: 'put', parameters: writing, consumes: anyBody, body: 'own' },
  patch: {
    method: 'patch',
    action: 'patch',
    parameters: [...writing, ...flags('force')],
    consumes: patchBodies,
    body: `${meta}.Patch`,
  },
  delete: {
    method: 'delete',
    action: 'delete',
    parameters: deleting,
    consumes: anyBody,
    body: `${meta}.DeleteOptions`,
  },
}

export function operationsOf(row: ResourceType): Operation[] {
  return [
    ...collectionOperations(row),
    ...objectOperations(row),
    ...row.subresources.flatMap((one) => subresourceOperations(row, one)),
  ]
}

function collectionOperations(row: ResourceType): Operation[] {
  const own = kindOf(row)
  const list = `${row.definition}List`
  const operation = (
    path: string,
    method: HttpMethod,
    action: string,
    id: string,
    rest: Partial<Operation>,
  ): Operation => ({
    path,
    method,
    action,
    id: `${id}${idSuffix(row)}`,
    kind: own,
    parameters: pathParameters(path),
    body: undefined,
    consumes: anyBody,
    answer: list,
    ...rest,
  })
  const path = pathOf(row, row.namespaced ? { namespace: '{namespace}' } : {}).replaceAll(/%7B|%7D/g, brace)
  const scope = row.namespaced ? 'Namespaced' : ''
  const everywhere = pathOf(row)
  const withPath = (more: readonly Parameter[]) => [...pathParameters(path), ...more]
  const listed = operation(path, 'get', 'list', `list${scope}`, { parameters: withPath(selecting) })
  const created = operation(path, 'post', 'post', `create${scope}`, {
    parameters: withPath(writing),
    body: row.definition,
    answer: row.definition,
  })
  const emptied = operation(path, 'delete', 'deletecollection', `deleteCollection${scope}`, {
    parameters: withPath([...selecting, ...deleting]),
    body: `${meta}.DeleteOptions`,
    answer: `${meta}.Status`,
  })
  const all = operation(everywhere, 'get', 'list', 'listForAllNamespaces', { parameters: selecting })
  return [
    listed,
    created,
    ...(row.verbs.includes('deletecollection') ? [emptied] : []),
    ...(row.namespaced ? [all] : []),
  ]
}

function objectOperations(row: ResourceType): Operation[] {
  const path = objectPath(row)
  return (['get', 'update', 'patch', 'delete'] as const)
    .filter((verb) => row.verbs.includes(verb))
    .map((verb) => fromShape(byVerb[verb], path, row, kindOf(row), row.definition, ''))
}

function subresourceOperations(row: ResourceType, sub: Subresource): Operation[] {
  const kind = kindOfSubresource(row, sub)
  const path = `${objectPath(row)}/${sub.name}`
  const definition = definitionOf(kind)
  const suffix = sub.name[0]?.toUpperCase() + sub.name.slice(1)
  const connects = definition === undefined // the options of exec, attach and proxy are query parameters only
  return sub.verbs.flatMap((verb): Operation[] => {
    if (verb !== 'create' && !isObjectVerb(verb)) return []
    const made: Shape = {
      method: 'post',
      action: 'post',
      parameters: writing,
      consumes: anyBody,
      body: 'own',
    }
    const shape = verb === 'create' ? made : byVerb[verb]
    if (connects || sub.name === 'log') return [connecting(shape.method, path, row, kind, sub.name, suffix)]
    return [fromShape(shape, path, row, kind, definition, suffix)]
  })
}

function isObjectVerb(verb: Verb): verb is keyof typeof byVerb {
  return verb in byVerb
}

function connecting(
  method: HttpMethod,
  path: string,
  row: ResourceType,
  kind: GroupVersionKind,
  name: string,
  suffix: string,
): Operation {
  return {
    path,
    method,
    id: `connect${method[0]?.toUpperCase()}${method.slice(1)}${idSuffix(row)}${suffix}`,
    action: name === 'log' ? 'get' : 'connect',
    kind,
    parameters: [...pathParameters(path), ...(name === 'log' ? logging : executing)],
    body: undefined,
    consumes: anyBody,
    answer: undefined,
  }
}

function fromShape(
  shape: Shape,
  path: string,
  row: ResourceType,
  kind: GroupVersionKind,
  definition: string | undefined,
  suffix: string,
): Operation {
  return {
    path,
    method: shape.method,
    action: shape.action,
    id: `${shape.action}${row.namespaced ? 'Namespaced' : ''}${idSuffix(row)}${suffix}`,
    kind,
    parameters: [...pathParameters(path), ...shape.parameters],
    body: shape.body === 'own' ? definition : shape.body,
    consumes: shape.consumes,
    answer: shape.action === 'delete' ? `${meta}.Status` : definition,
  }
}

function objectPath(row: ResourceType): string {
  const at = { name: '{name}', ...(row.namespaced ? { namespace: '{namespace}' } : {}) }
  return pathOf(row, at).replaceAll(/%7B|%7D/g, brace)
}

function brace(code: string): string {
  return code === '%7B' ? '{' : '}'
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({ name, in: 'path', type: 'string' }))
}

function idSuffix({ group, version, kind }: ResourceType): string {
  const words = `${group === '' ? 'core' : group.split('.')[0]} ${version}`.split(' ')
  return words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('') + kind
}

function kindOf({ group, version, kind }: ResourceType): GroupVersionKind {
  return { group, version, kind }
}

function kindOfSubresource(row: ResourceType, sub: Subresource): GroupVersionKind {
  const [first = '', second] = (sub.groupVersion ?? apiVersionOf(row)).split('/')
  return second === undefined
    ? { group: '', version: first, kind: sub.kind }
    : { group: first, version: second, kind: sub.kind }
}

let byKind: ReadonlyMap<string, string> | undefined

/** Name of the definition of a kind; undefined for kinds that only query parameters carry (PodExecOptions). */
function definitionOf({ group, version, kind }: GroupVersionKind): string | undefined {
  byKind ??= new Map(
    [...definitions()].flatMap(([name, schema]) =>
      (schema['x-kubernetes-group-version-kind'] ?? []).map(
        (one) => [`${one.group}/${one.version}/${one.kind}`, name] as const,
      ),
    ),
  )
  return byKind.get(`${group}/${version}/${kind}`)
}
