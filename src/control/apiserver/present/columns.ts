import type {
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  Lease,
  Namespace,
  Node,
  ReplicaSet,
  Secret,
  Service,
  ServiceAccount,
} from '../../../api/index.ts'
import { formatSelector, selectorOf } from '../../../api/index.ts'
import { age, type Column, columns, joined, name, none, since, unknown } from './column.ts'
import { podColumns } from './pod-columns.ts'

interface Templated {
  spec: {
    template?:
      | { spec?: { containers?: { name: string; image?: string | undefined }[] } | undefined }
      | undefined
  }
}

const containers = {
  name: 'Containers',
  wide: true,
  cell: ({ spec }: Templated) => (spec.template?.spec?.containers ?? []).map((one) => one.name).join(','),
}
const images = {
  name: 'Images',
  wide: true,
  cell: ({ spec }: Templated) =>
    (spec.template?.spec?.containers ?? []).map((one) => one.image ?? '').join(','),
}
const selector = {
  name: 'Selector',
  wide: true,
  cell: ({ spec }: Pick<Deployment, 'spec'>) => formatSelector(selectorOf(spec.selector)) || none,
}

const deployments = columns<Deployment>(
  name,
  { name: 'Ready', cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}` },
  { name: 'Up-to-date', type: 'integer', cell: ({ status }) => status?.updatedReplicas ?? 0 },
  { name: 'Available', type: 'integer', cell: ({ status }) => status?.availableReplicas ?? 0 },
  age,
  containers as never,
  images as never,
  selector,
)

const replicaSets = columns<ReplicaSet>(
  name,
  { name: 'Desired', type: 'integer', cell: ({ spec }) => spec.replicas ?? 1 },
  { name: 'Current', type: 'integer', cell: ({ status }) => status?.replicas ?? 0 },
  { name: 'Ready', type: 'integer', cell: ({ status }) => status?.readyReplicas ?? 0 },
  age,
  containers as never,
  images as never,
  selector as never,
)

const services = columns<Service>(
  name,
  { name: 'Type', cell: ({ spec }) => spec.type ?? 'ClusterIP' },
  { name: 'Cluster-IP', cell: ({ spec }) => spec.clusterIP ?? none },
  { name: 'External-IP', cell: externalAddresses },
  { name: 'Port(s)', cell: ({ spec }) => (spec.ports ?? []).map(portText).join(',') || none },
  age,
  { name: 'Selector', wide: true, cell: ({ spec }) => joined(spec.selector) },
)

function portText({
  port,
  nodePort,
  protocol = 'TCP',
}: NonNullable<Service['spec']['ports']>[number]): string {
  return nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`
}

function externalAddresses({ spec, status }: Service): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? none
  const balancer = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '')
  const all = [...(spec.type === 'LoadBalancer' ? balancer : []), ...(spec.externalIPs ?? [])]
  if (all.length > 0) return all.join(',')
  return spec.type === 'LoadBalancer' ? '<pending>' : none
}

const rolePrefix = 'node-role.kubernetes.io/'

const nodes = columns<Node>(
  name,
  { name: 'Status', cell: nodeStatus },
  { name: 'Roles', cell: ({ metadata }) => rolesOf(metadata.labels) },
  age,
  { name: 'Version', cell: ({ status }) => status?.nodeInfo?.kubeletVersion ?? '' },
  { name: 'Internal-IP', wide: true, cell: (node) => addressOf(node, 'InternalIP') },
  { name: 'External-IP', wide: true, cell: (node) => addressOf(node, 'ExternalIP') },
  { name: 'OS-Image', wide: true, cell: ({ status }) => status?.nodeInfo?.osImage ?? unknown },
  { name: 'Kernel-Version', wide: true, cell: ({ status }) => status?.nodeInfo?.kernelVersion ?? unknown },
  {
    name: 'Container-Runtime',
    wide: true,
    cell: ({ status }) => status?.nodeInfo?.containerRuntimeVersion ?? unknown,
  },
)

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
  return spec?.unschedulable ? `${word},SchedulingDisabled` : word
}

function rolesOf(labels: Readonly<Record<string, string>> = {}): string {
  const roles = Object.keys(labels).filter(
    (key) => key.startsWith(rolePrefix) && key.length > rolePrefix.length,
  )
  return (
    roles
      .map((key) => key.slice(rolePrefix.length))
      .sort()
      .join(',') || none
  )
}

function addressOf({ status }: Node, type: string): string {
  return status?.addresses?.find((one) => one.type === type)?.address ?? none
}

const namespaces = columns<Namespace>(
  name,
  { name: 'Status', cell: ({ status }) => status?.phase ?? '' },
  age,
)

const coreEvents = columns<Event>(
  { name: 'Last Seen', cell: (event, nowMs) => since(lastSeen(event), nowMs) },
  { name: 'Type', cell: ({ type }) => type ?? '' },
  { name: 'Reason', cell: ({ reason }) => reason ?? '' },
  {
    name: 'Object',
    cell: ({ involvedObject: { kind, name: of } }) => `${(kind ?? '').toLowerCase()}/${of ?? ''}`,
  },
  { name: 'Subobject', wide: true, cell: ({ involvedObject }) => involvedObject.fieldPath ?? '' },
  {
    name: 'Source',
    wide: true,
    cell: ({ source, reportingComponent }) =>
      [source?.component ?? reportingComponent, source?.host].filter(Boolean).join(', '),
  },
  { name: 'Message', cell: ({ message }) => (message ?? '').trim() },
  {
    name: 'First Seen',
    wide: true,
    cell: (event, nowMs) =>
      since(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, nowMs),
  },
  { name: 'Count', type: 'integer', wide: true, cell: ({ count, series }) => series?.count ?? count ?? 1 },
  { ...name, wide: true },
)

function lastSeen({ series, lastTimestamp, eventTime, metadata }: Event): string | undefined {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp
}

const endpointSlices = columns<EndpointSlice>(
  name,
  { name: 'AddressType', cell: ({ addressType }) => addressType },
  { name: 'Ports', cell: ({ ports }) => some((ports ?? []).map(({ port }) => String(port ?? '*'))) },
  {
    name: 'Endpoints',
    cell: ({ endpoints }) => some((endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])),
  },
  age,
)

/** The first three of a list, and how many more there are. */
function some(list: readonly string[]): string {
  if (list.length === 0) return '<unset>'
  return list.length <= 3 ? list.join(',') : `${list.slice(0, 3).join(',')} + ${list.length - 3} more...`
}

const endpoints = columns<Endpoints>(
  name,
  { name: 'Endpoints', cell: ({ subsets }) => endpointsText(subsets ?? []) },
  age,
)

function endpointsText(subsets: NonNullable<Endpoints['subsets']>): string {
  const list = subsets.flatMap(({ addresses = [], ports = [] }) =>
    addresses.flatMap(({ ip }) => (ports.length === 0 ? [ip] : ports.map(({ port }) => `${ip}:${port}`))),
  )
  return list.length === 0 ? none : some(list)
}

const leases = columns<Lease>(name, { name: 'Holder', cell: ({ spec }) => spec?.holderIdentity ?? '' }, age)
const configMaps = columns<ConfigMap>(
  name,
  { name: 'Data', type: 'integer', cell: ({ data, binaryData }) => count(data) + count(binaryData) },
  age,
)
const secrets = columns<Secret>(
  name,
  { name: 'Type', cell: ({ type }) => type ?? 'Opaque' },
  { name: 'Data', type: 'integer', cell: ({ data }) => count(data) },
  age,
)
const serviceAccounts = columns<ServiceAccount>(
  name,
  { name: 'Secrets', type: 'integer', cell: ({ secrets: list }) => list?.length ?? 0 },
  age,
)

function count(map: Readonly<Record<string, unknown>> | undefined): number {
  return Object.keys(map ?? {}).length
}

/** Columns by kind of apiVersion and kind; kinds without a row show name and age. */
export const columnsByKind: ReadonlyMap<string, readonly Column[]> = new Map([
  ['ConfigMap', configMaps],
  ['Deployment', deployments],
  ['Endpoints', endpoints],
  ['EndpointSlice', endpointSlices],
  ['Event', coreEvents],
  ['Lease', leases],
  ['Namespace', namespaces],
  ['Node', nodes],
  ['Pod', podColumns],
  ['ReplicaSet', replicaSets],
  ['Secret', secrets],
  ['Service', services],
  ['ServiceAccount', serviceAccounts],
])
