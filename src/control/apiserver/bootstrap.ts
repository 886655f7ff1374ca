import {
  ApiClient,
  type KubernetesObject,
  type ResourceType,
  resources,
  type Transport,
} from '../../api/index.ts'
import { addressAt, hasCode, parseCidr } from '../../base/index.ts'

export interface BootstrapOptions {
  transport: Transport
  serviceCidr: string
  /** Where pods and nodes reach this server. */
  advertiseAddress: string
  port: number
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/**
 * What every cluster has from the start: its namespaces, and the Service `kubernetes` with the first service address,
 * which leads to this server. Objects that exist stay as they are, but for the server's address.
 */
export async function bootstrap({
  transport,
  serviceCidr,
  advertiseAddress,
  port,
}: BootstrapOptions): Promise<void> {
  const client = new ApiClient(transport)
  for (const name of namespaces) await ensure(client, resources.namespaces, { metadata: { name } })
  await ensure(client, resources.services, {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: addressAt(parseCidr(serviceCidr), 1),
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
  })
  const slice = {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: advertiseAddress.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
    endpoints: [{ addresses: [advertiseAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' as const }],
  }
  if (await ensure(client, resources.endpointslices, slice)) return
  const patch = { endpoints: slice.endpoints, ports: slice.ports }
  await client.patch(
    resources.endpointslices,
    { namespace: 'default', name: 'kubernetes' },
    { type: 'merge', patch },
  )
}

/** True when the object was absent. */
async function ensure<T extends KubernetesObject>(
  client: ApiClient,
  type: ResourceType<T>,
  object: T,
): Promise<boolean> {
  try {
    await client.create(type, object)
    return true
  } catch (error) {
    if (hasCode(error, 'ALREADY_EXISTS')) return false
    throw error
  }
}
