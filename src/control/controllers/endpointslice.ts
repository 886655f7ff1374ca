import {
  controllerReference,
  type discoveryV1,
  type Endpoint,
  type EndpointSlice,
  hasCondition,
  isBeingDeleted,
  keyOf,
  matchesLabels,
  nameOf,
  type Pod,
  resources,
  type Service,
  selectorOfMap,
} from '../../api/index.ts'
import { hasCode } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'
import { canonical } from './template-hash.ts'

/**
 * For every Service with a selector: EndpointSlices that list its pods' addresses, at most 100 in one slice, one
 * group of slices for each set of resolved target ports and each address family. Slices are found again by label,
 * kept where they already say the right thing, and filled before new ones are made.
 */
const endpointsPerSlice = 100
const serviceLabel = 'kubernetes.io/service-name'
const managerLabel = 'endpointslice.kubernetes.io/managed-by'
const manager = 'endpointslice-controller.k8s.io'

export function endpointSliceController(context: ControllerContext): Controller {
  const { client, informers } = context
  const services = informers.of(resources.services)
  const pods = informers.of(resources.pods)
  const slices = informers.of(resources.endpointslices)
  const controller = new Controller({ name: 'endpointslice', reconcile }, context)
  controller.watch(services, (service) => [keyOf(service)])
  controller.watch(pods, servicesOf)
  controller.watch(slices, (slice) => {
    const name = slice.metadata.labels?.[serviceLabel]
    return name && slice.metadata.labels?.[managerLabel] === manager
      ? [`${slice.metadata.namespace}/${name}`]
      : []
  })
  return controller

  function* servicesOf(pod: Pod): Iterable<string> {
    for (const service of services.by('namespace', pod.metadata.namespace ?? ''))
      if (selects(service, pod)) yield keyOf(service)
  }

  async function reconcile(key: string): Promise<void> {
    const service = services.get(key)
    if (!service || isBeingDeleted(service) || !hasSelector(service)) return
    const chosen = pods
      .by('namespace', service.metadata.namespace ?? '')
      .filter((pod) => selects(service, pod))
    const existing = slices.by('owner', service.metadata.uid ?? '')
    const { create, update, remove } = difference(service, wantedSlices(service, chosen), existing)
    for (const slice of update) await client.replace(resources.endpointslices, slice)
    for (const slice of create) await client.create(resources.endpointslices, slice)
    for (const slice of remove)
      await client
        .delete(resources.endpointslices, { namespace: slice.metadata.namespace, name: nameOf(slice) })
        .catch((error: unknown) => {
          if (!hasCode(error, 'NOT_FOUND')) throw error
        })
  }
}

function hasSelector(service: Service): boolean {
  return Object.keys(service.spec?.selector ?? {}).length > 0 && service.spec?.type !== 'ExternalName'
}

function selects(service: Service, pod: Pod): boolean {
  return hasSelector(service) && matchesLabels(selectorOfMap(service.spec?.selector), pod.metadata.labels)
}

type Family = 'IPv4' | 'IPv6'

interface SliceBody {
  addressType: EndpointSlice['addressType']
  endpoints: Endpoint[]
  ports: discoveryV1.EndpointPort[]
}

/** The slices a service should have, without names: what `difference` matches against those there are. */
export function wantedSlices(service: Service, pods: readonly Pod[]): SliceBody[] {
  const groups = new Map<string, SliceBody>()
  for (const addressType of familiesOf(service))
    for (const pod of [...pods].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
      const address = addressOf(pod, addressType)
      if (!address || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') continue
      const ports = portsFor(service, pod)
      const group: SliceBody = groups.get(canonical([addressType, ports])) ?? {
        addressType,
        ports,
        endpoints: [],
      }
      group.endpoints.push(endpointOf(service, pod, address))
      groups.set(canonical([addressType, ports]), group)
    }
  if (groups.size === 0)
    return familiesOf(service).map((addressType) => ({ addressType, ports: [], endpoints: [] }))
  return [...groups.values()].flatMap(split)
}

function familiesOf(service: Service): Family[] {
  const families = (service.spec?.ipFamilies ?? []).filter((one): one is Family => one !== '')
  return families.length > 0 ? families : ['IPv4']
}

function split(group: SliceBody): SliceBody[] {
  const parts: SliceBody[] = []
  for (let at = 0; at < group.endpoints.length; at += endpointsPerSlice)
    parts.push({ ...group, endpoints: group.endpoints.slice(at, at + endpointsPerSlice) })
  return parts
}

function addressOf(pod: Pod, addressType: string): string | undefined {
  const addresses = (pod.status?.podIPs ?? []).map(({ ip }) => ip)
  return [pod.status?.podIP, ...addresses].find((ip) => ip && ip.includes(':') === (addressType === 'IPv6'))
}

/** A named target port is looked up in the pod: two versions of a pod may give it two numbers. */
function portsFor(service: Service, pod: Pod): discoveryV1.EndpointPort[] {
  const containerPorts = (pod.spec?.containers ?? []).flatMap(({ ports }) => ports ?? [])
  return (service.spec?.ports ?? []).flatMap(
    ({ name, port, protocol = 'TCP', targetPort = port, appProtocol }) => {
      const number =
        typeof targetPort === 'number'
          ? targetPort
          : containerPorts.find((one) => one.name === targetPort && (one.protocol ?? 'TCP') === protocol)
              ?.containerPort
      return number === undefined
        ? []
        : [{ name: name ?? '', port: number, protocol, ...(appProtocol ? { appProtocol } : {}) }]
    },
  )
}

function endpointOf(service: Service, pod: Pod, address: string): Endpoint {
  const serving = hasCondition(pod.status?.conditions, 'Ready')
  const terminating = isBeingDeleted(pod)
  const named = pod.spec?.hostname && pod.spec.subdomain === nameOf(service)
  return {
    addresses: [address],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(named ? { hostname: pod.spec?.hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: nameOf(pod), uid: pod.metadata.uid },
  }
}

/** Which slices to make, to rewrite and to remove; a slice that already says what is wanted is left alone. */
export function difference(
  service: Service,
  wanted: readonly SliceBody[],
  existing: readonly EndpointSlice[],
) {
  const free = new Set(existing.filter((slice) => !isBeingDeleted(slice)))
  const missing = wanted.filter((body) => {
    const same = [...free].find((slice) => canonical(bodyOf(slice)) === canonical(body))
    if (same) free.delete(same)
    return !same
  })
  const update: EndpointSlice[] = []
  const create: EndpointSlice[] = []
  for (const body of missing) {
    // An address type cannot be changed, so only a slice of the same one is rewritten.
    const reusable = [...free].find((slice) => slice.addressType === body.addressType)
    if (reusable) {
      free.delete(reusable)
      update.push({ ...reusable, ...body })
    } else create.push(newSlice(service, body))
  }
  return { create, update, remove: [...free] }
}

function bodyOf({ addressType, endpoints, ports }: EndpointSlice): SliceBody {
  return { addressType, endpoints: endpoints ?? [], ports: ports ?? [] }
}

function newSlice(service: Service, body: SliceBody): EndpointSlice {
  return {
    ...body,
    metadata: {
      generateName: `${nameOf(service)}-`,
      namespace: service.metadata.namespace,
      labels: { ...service.metadata.labels, [serviceLabel]: nameOf(service), [managerLabel]: manager },
      ownerReferences: [controllerReference(resources.services, service)],
    },
  }
}
