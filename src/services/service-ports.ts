import { isIPv4 } from 'node:net'
import { type EndpointSlice, nameOf, type Service } from '../api/index.ts'

/** One port of one Service with where it leads: what the ruleset is made of. */
export interface ServicePortEntry {
  /** `default/web:http`, unique with the protocol. */
  name: string
  clusterIp: string
  protocol: 'tcp' | 'udp' | 'sctp'
  port: number
  nodePort: number | undefined
  /** Seconds that a client stays with its endpoint; undefined: each connection is on its own. */
  affinitySeconds: number | undefined
  /** Sorted, each once. */
  endpoints: readonly Endpoint[]
}

export interface Endpoint {
  address: string
  port: number
}

const serviceNameLabel = 'kubernetes.io/service-name'
const affinityDefaultSeconds = 10_800
const protocols = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const

/**
 * The IPv4 Service ports of the cluster, from objects that are never changed in place (as an informer's are). Headless and ExternalName Services have none. Whatever is malformed is left
 * out alone, so that one bad object cannot take the others' rules away; of two Services that claim the same address
 * and port, the first by name has it.
 */
export function servicePorts(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
): ServicePortEntry[] {
  const slicesOf = groupByService(slices)
  const entries = services.flatMap((service) => entriesOf(service, slicesOf.get(keyOfService(service)) ?? []))
  entries.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
  const taken = new Set<string>()
  return entries.filter(({ clusterIp, protocol, port }) => {
    const claim = `${clusterIp} ${protocol} ${port}`
    return !taken.has(claim) && taken.add(claim)
  })
}

/** Objects never change, so what was made of the same ones is the same: a change costs what changed. */
const known = new WeakMap<Service, { slices: readonly EndpointSlice[]; entries: ServicePortEntry[] }>()

function entriesOf(service: Service, slices: readonly EndpointSlice[]): ServicePortEntry[] {
  const found = known.get(service)
  if (found?.slices.length === slices.length && found.slices.every((one, index) => one === slices[index]))
    return found.entries
  const entries = makeEntries(service, slices)
  known.set(service, { slices, entries })
  return entries
}

function makeEntries(service: Service, slices: readonly EndpointSlice[]): ServicePortEntry[] {
  const { spec } = service
  const clusterIp = [...(spec.clusterIPs ?? []), spec.clusterIP ?? ''].find((address) => isIPv4(address))
  if (clusterIp === undefined || spec.type === 'ExternalName') return []
  const onNodes = spec.type === 'NodePort' || spec.type === 'LoadBalancer'
  return (spec.ports ?? []).flatMap(({ name = '', port, nodePort, protocol = 'TCP' }) => {
    if (!isPort(port) || !(protocol in protocols)) return []
    return {
      name: `${keyOfService(service)}:${name}`,
      clusterIp,
      protocol: protocols[protocol],
      port,
      nodePort: onNodes && isPort(nodePort) ? nodePort : undefined,
      affinitySeconds: affinityOf(service),
      endpoints: endpointsOf(slices, name, protocol),
    }
  })
}

function affinityOf({ spec }: Service): number | undefined {
  if (spec.sessionAffinity !== 'ClientIP') return undefined
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinityDefaultSeconds
  return Number.isInteger(seconds) && seconds > 0 && seconds <= 86_400 ? seconds : affinityDefaultSeconds
}

/** The ready endpoints; where there are none, those that still serve while they end (KEP-1669). */
function endpointsOf(slices: readonly EndpointSlice[], portName: string, protocol: string): Endpoint[] {
  const ready = new Map<string, Endpoint>()
  const ending = new Map<string, Endpoint>()
  for (const { ports = [], endpoints = [] } of slices) {
    const found = ports.find(({ name = '', protocol: own = 'TCP' }) => name === portName && own === protocol)
    const port = found?.port
    if (!isPort(port)) continue
    for (const { addresses, conditions } of endpoints) {
      const [address = ''] = addresses
      if (!isIPv4(address)) continue
      const endpoint = { address, port }
      if (conditions?.ready ?? true) ready.set(`${address} ${port}`, endpoint)
      else if (conditions?.serving && conditions.terminating) ending.set(`${address} ${port}`, endpoint)
    }
  }
  const chosen = ready.size > 0 ? ready : ending
  return [...chosen].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, endpoint]) => endpoint)
}

function groupByService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const groups = new Map<string, EndpointSlice[]>()
  for (const slice of slices) {
    const name = slice.metadata.labels?.[serviceNameLabel]
    if (name === undefined || slice.addressType !== 'IPv4') continue
    const key = `${slice.metadata.namespace ?? ''}/${name}`
    const group = groups.get(key)
    if (group) group.push(slice)
    else groups.set(key, [slice])
  }
  return groups
}

function keyOfService(service: Service): string {
  return `${service.metadata.namespace ?? ''}/${nameOf(service)}`
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port >= 1 && port <= 65_535
}
