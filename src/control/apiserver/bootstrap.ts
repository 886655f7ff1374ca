import {
  ApiClient,
  type KubernetesObject,
  type ResourceType,
  resources,
  type Transport,
} from '../../api/index.ts'
import {
  addressAt,
  Cleanup,
  type Clock,
  hasCode,
  type Logger,
  parseCidr,
  WorkQueue,
} from '../../base/index.ts'
import type { Store, StoreEvent } from '../store/index.ts'

export interface BootstrapOptions {
  store: Store
  clock: Clock
  log: Logger
  transport: Transport
  serviceCidr: string
  /** Where pods and nodes reach this server. */
  advertiseAddress: string
  port: number
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
/** Where in the store the objects lie that come back when deleted. */
const kept = [
  '/registry/services/default/kubernetes',
  '/registry/discovery.k8s.io/endpointslices/default/kubernetes',
]

/**
 * What every cluster has from the start: its namespaces, and the Service `kubernetes` with the first service address,
 * which leads to this server. Objects that exist stay as they are, but for the server's address. What is deleted later
 * comes back until the result is disposed.
 */
export async function bootstrap(options: BootstrapOptions): Promise<AsyncDisposable> {
  const { clock, log, store } = options
  const ensureAll = () => ensureObjects(options)
  await ensureAll()
  const onError = (_key: string, error: unknown) => log.warn('bootstrap objects', { error })
  const queue = new WorkQueue<'all'>({ worker: ensureAll, clock, concurrency: 1, onError })
  await using undo = new Cleanup()
  undo.defer(() => queue.close())
  for (const prefix of kept) {
    const onEvents = (events: readonly StoreEvent[]) => {
      if (events.some(({ type }) => type === 'remove')) queue.add('all')
    }
    await undo.use(store.watch({ prefix, onEvents, onEnd: () => undefined }))
  }
  return undo.move()
}

async function ensureObjects(options: BootstrapOptions): Promise<void> {
  const { transport, serviceCidr, advertiseAddress, port } = options
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
