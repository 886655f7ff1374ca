import type { Service } from '../api/index.ts'

/** Namespace and name of the API server's own Service, which every container is told about. */
const master = { namespace: 'default', name: 'kubernetes' }

/**
 * The variables by which a container finds Services (`WEB_SERVICE_HOST`, `WEB_SERVICE_PORT`, and the older
 * `WEB_PORT_80_TCP…` set): the Services of its namespace when `links` is on, and the API server's always.
 * Headless Services and those without an address have none.
 */
export function serviceEnvironment(
  services: Iterable<Service>,
  namespace: string,
  links: boolean,
): Record<string, string> {
  const chosen = [...services].filter(
    (service) => isMaster(service) || (links && service.metadata?.namespace === namespace),
  )
  // The namespace's own `kubernetes` comes after the one in `default`, so that it wins.
  chosen.sort((a, b) => Number(isMaster(b)) - Number(isMaster(a)))
  return Object.assign({}, ...chosen.map(variablesOf))
}

function isMaster(service: Service): boolean {
  return service.metadata?.namespace === master.namespace && service.metadata?.name === master.name
}

function variablesOf(service: Service): Record<string, string> {
  const ip = service.spec?.clusterIP
  const ports = service.spec?.ports ?? []
  const first = ports[0]
  if (!ip || ip === 'None' || !first) return {}
  const name = variableName(service.metadata?.name ?? '')
  const variables: Record<string, string> = {
    [`${name}_SERVICE_HOST`]: ip,
    [`${name}_SERVICE_PORT`]: String(first.port),
    [`${name}_PORT`]: url(first.protocol, ip, first.port),
  }
  for (const { name: portName, port, protocol = 'TCP' } of ports) {
    if (portName) variables[`${name}_SERVICE_PORT_${variableName(portName)}`] = String(port)
    const prefix = `${name}_PORT_${port}_${protocol}`
    variables[prefix] = url(protocol, ip, port)
    variables[`${prefix}_PROTO`] = protocol.toLowerCase()
    variables[`${prefix}_PORT`] = String(port)
    variables[`${prefix}_ADDR`] = ip
  }
  return variables
}

function variableName(text: string): string {
  return text.toUpperCase().replaceAll('-', '_')
}

function url(protocol = 'TCP', ip: string, port: number): string {
  return `${protocol.toLowerCase()}://${ip.includes(':') ? `[${ip}]` : ip}:${port}`
}
