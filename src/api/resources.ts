/**
 * The one table of resources. A new kind is a row here (and, where the server treats it specially, a strategy
 * file there). `resources.pods` is a `ResourceType<Pod>`, which is what types the client's calls.
 */
import {
  allVerbs,
  apiVersionOf,
  type KubernetesObject,
  type ResourceType,
  type Subresource,
  type Verb,
} from './resource-type.ts'
import type {
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  eventsV1,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  ServiceAccount,
} from './types/index.ts'

type Row = Pick<ResourceType, 'kind' | 'plural'> & Partial<ResourceType>

const status = (kind: string): Subresource => ({ name: 'status', kind, verbs: ['get', 'patch', 'update'] })
const scale: Subresource = {
  name: 'scale',
  kind: 'Scale',
  groupVersion: 'autoscaling/v1',
  verbs: ['get', 'patch', 'update'],
}
const proxy = (kind: string): Subresource => ({
  name: 'proxy',
  kind,
  verbs: ['create', 'delete', 'get', 'patch', 'update'],
})
const connect = (name: string, kind: string): Subresource => ({ name, kind, verbs: ['create', 'get'] })

const core = inGroup('', 'v1', 'io.k8s.api.core.v1')
const apps = inGroup('apps', 'v1', 'io.k8s.api.apps.v1')
const coordination = inGroup('coordination.k8s.io', 'v1', 'io.k8s.api.coordination.v1')
const discovery = inGroup('discovery.k8s.io', 'v1', 'io.k8s.api.discovery.v1')
const events = inGroup('events.k8s.io', 'v1', 'io.k8s.api.events.v1')

export const resources = {
  configmaps: core<ConfigMap>({ kind: 'ConfigMap', plural: 'configmaps', shortNames: ['cm'] }),
  endpoints: core<Endpoints>({
    kind: 'Endpoints',
    plural: 'endpoints',
    singular: 'endpoints',
    shortNames: ['ep'],
  }),
  events: core<Event>({ kind: 'Event', plural: 'events', shortNames: ['ev'] }),
  namespaces: core<Namespace>({
    kind: 'Namespace',
    plural: 'namespaces',
    namespaced: false,
    shortNames: ['ns'],
    verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
    subresources: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }, status('Namespace')],
  }),
  nodes: core<Node>({
    kind: 'Node',
    plural: 'nodes',
    namespaced: false,
    shortNames: ['no'],
    subresources: [proxy('NodeProxyOptions'), status('Node')],
  }),
  pods: core<Pod>({
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    subresources: [
      connect('attach', 'PodAttachOptions'),
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'eviction', kind: 'Eviction', groupVersion: 'policy/v1', verbs: ['create'] },
      connect('exec', 'PodExecOptions'),
      { name: 'log', kind: 'Pod', verbs: ['get'] },
      connect('portforward', 'PodPortForwardOptions'),
      status('Pod'),
    ],
  }),
  secrets: core<Secret>({ kind: 'Secret', plural: 'secrets' }),
  serviceaccounts: core<ServiceAccount>({
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    shortNames: ['sa'],
  }),
  services: core<Service>({
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    subresources: [status('Service')],
  }),
  deployments: apps<Deployment>({
    kind: 'Deployment',
    plural: 'deployments',
    shortNames: ['deploy'],
    categories: ['all'],
    subresources: [scale, status('Deployment')],
  }),
  replicasets: apps<ReplicaSet>({
    kind: 'ReplicaSet',
    plural: 'replicasets',
    shortNames: ['rs'],
    categories: ['all'],
    subresources: [scale, status('ReplicaSet')],
  }),
  leases: coordination<Lease>({ kind: 'Lease', plural: 'leases' }),
  endpointslices: discovery<EndpointSlice>({ kind: 'EndpointSlice', plural: 'endpointslices' }),
  /** The newer view of the same events. */
  eventsV1: events<eventsV1.Event>({
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    viewOf: { group: '', version: 'v1', plural: 'events' },
  }),
}

/** Every row, core group first, then by group and plural: the order of discovery. */
export const resourceTypes: readonly ResourceType[] = Object.values(resources).sort((a, b) =>
  `${a.group}/${a.version}/${a.plural}` < `${b.group}/${b.version}/${b.plural}` ? -1 : 1,
)

/** The row of a path's group, version and plural; undefined when the server does not serve it. */
export function findResource(group: string, version: string, plural: string): ResourceType | undefined {
  return byPlural.get(`${group}/${version}/${plural}`)
}

/** The row of an object's apiVersion and kind. */
export function findKind(apiVersion: string, kind: string): ResourceType | undefined {
  return byKind.get(`${apiVersion}/${kind}`)
}

const byPlural = new Map(resourceTypes.map((row) => [`${row.group}/${row.version}/${row.plural}`, row]))
const byKind = new Map(resourceTypes.map((row) => [`${apiVersionOf(row)}/${row.kind}`, row]))

function inGroup(group: string, version: string, definitions: string) {
  return <T extends KubernetesObject>(row: Row): ResourceType<T> => ({
    group,
    version,
    singular: row.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: allVerbs satisfies readonly Verb[],
    subresources: [],
    definition: `${definitions}.${row.kind}`,
    ...(row as Partial<ResourceType<T>> & Row),
  })
}
