import { resources, type Service } from '../../../api/index.ts'
import { addressAt, type Cidr, indexInCidr } from '../../../base/index.ts'
import { StatusError } from '../status.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabels, checkName } from './names.ts'
import { type Claim, type Pool, strategy } from './strategy.ts'

/** NodePorts are chosen from this range. */
const nodePortMin = 30_000
const nodePortMax = 32_767
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

/** Services take their addresses from `cidr`; its first one is left to the `kubernetes` Service. */
export function services(cidr: Cidr) {
  return strategy(resources.services, {
    nameRule: 'dns-1035-label',
    returnsDeleted: true,
    setDefaults: (service) => setDefaults(service, cidr),
    prepareForUpdate: keepAddress,
    validate: (service, errors) => validate(service, cidr, errors),
    validateUpdate: validateAddressKept,
    claims,
    allocate: (service, _before, pool) => allocate(service, cidr, pool),
    selectableFields: ({ spec }) => ({
      'spec.clusterIP': spec?.clusterIP ?? '',
      'spec.type': spec?.type ?? '',
    }),
  })
}

function setDefaults({ spec }: Service, cidr: Cidr): void {
  spec.type ??= 'ClusterIP'
  spec.sessionAffinity ??= 'None'
  if (spec.sessionAffinity === 'ClientIP')
    spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10_800 } }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP'
    if (port.targetPort === undefined || port.targetPort === '' || port.targetPort === 0)
      port.targetPort = port.port
  }
  if (spec.type === 'ExternalName') return
  spec.internalTrafficPolicy ??= 'Cluster'
  if (opensNodePorts(spec)) spec.externalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  spec.ipFamilies ??= [cidr.family === 4 ? 'IPv4' : 'IPv6']
  spec.ipFamilyPolicy ??= 'SingleStack'
  if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0]
  if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP]
}

/** An update that names no address, or no ports of the node, means those it has. */
function keepAddress(service: Service, before: Service): void {
  const { spec } = service
  const was = before.spec
  if (spec.type === 'ExternalName' || was.type === 'ExternalName') return
  if (!spec.clusterIP && was.clusterIP) spec.clusterIP = was.clusterIP
  if (!opensNodePorts(spec)) return
  for (const port of spec.ports ?? []) {
    const same = was.ports?.find(
      (one) => one.port === port.port && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    )
    if (!port.nodePort && same?.nodePort) port.nodePort = same.nodePort
  }
}

function opensNodePorts({ type }: Service['spec']): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
}

function claims({ spec }: Service): Claim[] {
  const { clusterIP, ports = [] } = spec
  const address =
    clusterIP && clusterIP !== 'None' && spec.type !== 'ExternalName'
      ? [{ id: `serviceips/${clusterIP}`, field: 'spec.clusterIPs[0]', value: clusterIP }]
      : []
  const nodePorts = ports.flatMap(({ nodePort, protocol = 'TCP' }, i) =>
    nodePort
      ? [{ id: `nodeports/${protocol}/${nodePort}`, field: `spec.ports[${i}].nodePort`, value: nodePort }]
      : [],
  )
  return [...address, ...nodePorts]
}

async function allocate(service: Service, cidr: Cidr, pool: Pool): Promise<void> {
  const { spec } = service
  if (spec.type === 'ExternalName') {
    delete spec.clusterIP
    delete spec.clusterIPs
    return
  }
  if (!spec.clusterIP) {
    spec.clusterIP = await freeAddress(cidr, pool)
    spec.clusterIPs = [spec.clusterIP]
  }
  if (!opensNodePorts(spec)) {
    for (const port of spec.ports ?? []) delete port.nodePort
    return
  }
  const chosen = new Set((spec.ports ?? []).map(({ nodePort, protocol }) => `${protocol}/${nodePort}`))
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue
    port.nodePort = await freeNodePort(port.protocol ?? 'TCP', chosen, pool)
    chosen.add(`${port.protocol}/${port.nodePort}`)
  }
}

/** The upper part of the range is for those who do not choose, so that fixed low addresses stay free. */
async function freeAddress(cidr: Cidr, pool: Pool): Promise<string> {
  const usable = cidr.family === 4 ? Number(cidr.size) - 2 : Math.min(Number(cidr.size) - 1, 2 ** 31)
  const lowPart = Math.min(Math.max(16, Math.floor(usable / 16)), 256)
  const first = usable > 2 * lowPart ? lowPart + 1 : 2
  const index = await freeIndex(first, usable, pool, (i) => `serviceips/${addressAt(cidr, i)}`)
  const found = index ?? (await freeIndex(2, first - 1, pool, (i) => `serviceips/${addressAt(cidr, i)}`))
  if (found === undefined)
    throw new StatusError('InternalError', 'failed to allocate a serviceIP: range is full')
  return addressAt(cidr, found)
}

async function freeNodePort(protocol: string, chosen: ReadonlySet<string>, pool: Pool): Promise<number> {
  const port = await freeIndex(
    nodePortMin,
    nodePortMax,
    pool,
    (i) => `nodeports/${protocol}/${i}`,
    (i) => chosen.has(`${protocol}/${i}`),
  )
  if (port === undefined)
    throw new StatusError('InternalError', 'failed to allocate a nodePort: range is full')
  return port
}

/** A free number from `first` to `last`: the next free one after a random start. */
async function freeIndex(
  first: number,
  last: number,
  pool: Pool,
  idOf: (index: number) => string,
  isChosen: (index: number) => boolean = () => false,
): Promise<number | undefined> {
  const count = last - first + 1
  if (count <= 0) return undefined
  const start = Math.floor(pool.random() * count)
  for (let step = 0; step < count; step++) {
    const index = first + ((start + step) % count)
    if (!isChosen(index) && !(await pool.isTaken(idOf(index)))) return index
  }
  return undefined
}

function validate({ spec }: Service, cidr: Cidr, errors: FieldErrors): void {
  errors.oneOf('spec.type', spec.type, types)
  errors.oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None'])
  errors.oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local'])
  errors.oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, ['Cluster', 'Local'])
  checkLabels(errors, 'spec.selector', spec.selector)
  if (spec.type === 'ExternalName') {
    if (!spec.externalName) errors.required('spec.externalName')
    else checkName(errors, 'spec.externalName', spec.externalName, 'dns-1123-subdomain')
    return
  }
  const { clusterIP } = spec
  if (clusterIP && clusterIP !== 'None' && indexInCidr(cidr, clusterIP) === undefined) {
    const range = `${addressAt(cidr, 0)}/${cidr.prefix}`
    errors.invalid(
      'spec.clusterIPs',
      [clusterIP],
      `failed to allocate IP ${clusterIP}: the provided IP (${clusterIP}) is not in the valid range. The range of valid IPs is ${range}`,
    )
  }
  if (clusterIP === 'None' && opensNodePorts(spec)) {
    errors.invalid(
      'spec.clusterIPs[0]',
      clusterIP,
      'may not be set to "None" for NodePort and LoadBalancer services',
    )
  }
  if ((spec.ports ?? []).length === 0 && clusterIP !== 'None') errors.required('spec.ports')
  validatePorts(spec, errors)
}

function validatePorts({ ports = [] }: Service['spec'], errors: FieldErrors): void {
  const names = new Set<string>()
  const pairs = new Set<string>()
  for (const [i, { name, port, targetPort, protocol, nodePort }] of ports.entries()) {
    const where = `spec.ports[${i}]`
    if (ports.length > 1 && !name) errors.required(`${where}.name`)
    if (name) {
      checkName(errors, `${where}.name`, name, 'dns-1123-label')
      if (names.has(name)) errors.duplicate(`${where}.name`, name)
      names.add(name)
    }
    errors.integer(`${where}.port`, port ?? 0, 1, 65_535)
    if (typeof targetPort === 'number') errors.integer(`${where}.targetPort`, targetPort, 1, 65_535)
    errors.oneOf(`${where}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])
    if (nodePort && (nodePort < nodePortMin || nodePort > nodePortMax)) {
      errors.invalid(
        `${where}.nodePort`,
        nodePort,
        `provided port is not in the valid range. The range of valid ports is ${nodePortMin}-${nodePortMax}`,
      )
    }
    const pair = `${protocol}/${port}`
    if (pairs.has(pair)) errors.duplicate(where, { protocol, port })
    pairs.add(pair)
  }
}

function validateAddressKept(service: Service, before: Service, errors: FieldErrors): void {
  const { spec } = service
  const was = before.spec
  if (spec.type === 'ExternalName' || was.type === 'ExternalName' || !was.clusterIP) return
  if (spec.clusterIP !== was.clusterIP) {
    errors.invalid('spec.clusterIPs[0]', spec.clusterIP, 'may not change once set')
  }
}
