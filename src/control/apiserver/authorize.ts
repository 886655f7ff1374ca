import type { Verb } from '../../api/index.ts'
import type { User } from './http/message.ts'
import { forbidden, StatusError } from './status.ts'

/** What a request wants to do, as authorization sees it. */
export interface Attributes {
  verb: Verb | 'proxy'
  group: string
  resource: string
  subresource?: string | undefined
  namespace?: string | undefined
  name?: string | undefined
}

type Rule = {
  verbs: readonly Attributes['verb'][]
  group: string
  resources: readonly string[]
  own?: OwnRule
}
/** Restricts a rule to what belongs to the asking node. */
type OwnRule = (nodeName: string, attributes: Attributes) => boolean

const reads = ['get', 'list', 'watch'] as const
const writes = ['create', 'update', 'patch', 'delete'] as const

const namedAsNode: OwnRule = (nodeName, { name, verb }) =>
  name === nodeName || (verb === 'create' && name === undefined)
const inLeaseNamespace: OwnRule = (nodeName, attributes) =>
  attributes.namespace === 'kube-node-lease' && namedAsNode(nodeName, attributes)

/** What a kubelet needs, and nothing beside it. `resource/subresource` names a subresource. */
const nodeRules: readonly Rule[] = [
  {
    verbs: reads,
    group: '',
    resources: [
      'pods',
      'nodes',
      'services',
      'configmaps',
      'secrets',
      'serviceaccounts',
      'endpoints',
      'namespaces',
    ],
  },
  { verbs: reads, group: 'discovery.k8s.io', resources: ['endpointslices'] },
  { verbs: ['create', 'update', 'patch', 'delete'], group: '', resources: ['nodes'], own: namedAsNode },
  { verbs: ['update', 'patch'], group: '', resources: ['nodes/status'], own: namedAsNode },
  { verbs: ['create', 'delete'], group: '', resources: ['pods'] },
  { verbs: ['update', 'patch'], group: '', resources: ['pods/status'] },
  { verbs: ['create'], group: '', resources: ['pods/eviction', 'serviceaccounts/token'] },
  { verbs: ['create', 'update', 'patch'], group: '', resources: ['events'] },
  { verbs: ['create', 'update', 'patch'], group: 'events.k8s.io', resources: ['events'] },
  {
    verbs: [...reads, ...writes],
    group: 'coordination.k8s.io',
    resources: ['leases'],
    own: inLeaseNamespace,
  },
]

const nodePrefix = 'system:node:'

/** Throws 403 unless the user may do this. Masters may do everything, nodes what the table above says. */
export function authorize(user: User, attributes: Attributes): void {
  if (user.groups.includes('system:masters')) return
  if (user.groups.includes('system:nodes') && user.name.startsWith(nodePrefix)) {
    if (nodeMay(user.name.slice(nodePrefix.length), attributes)) return
  }
  throw refusal(user, attributes)
}

/** Paths that are no resources: health and version for everybody, discovery and OpenAPI for the authenticated. */
export function authorizePath(user: User, path: string, verb: string): void {
  if (/^\/(healthz|livez|readyz)(\/|$)|^\/version\/?$/.test(path)) return
  if (user.groups.includes('system:authenticated')) return
  throw new StatusError(
    'Forbidden',
    `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`,
  )
}

function nodeMay(nodeName: string, attributes: Attributes): boolean {
  const { verb, group, resource, subresource } = attributes
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`
  return nodeRules.some(
    (rule) =>
      rule.group === group &&
      rule.verbs.includes(verb) &&
      rule.resources.includes(wanted) &&
      (rule.own?.(nodeName, attributes) ?? true),
  )
}

function refusal(
  user: User,
  { verb, group, resource, subresource, namespace, name = '' }: Attributes,
): StatusError {
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`
  const where =
    namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  return forbidden(
    { group, resource, name },
    `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(wanted)} in API group ${JSON.stringify(group)} ${where}`,
  )
}
