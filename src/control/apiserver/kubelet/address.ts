import { type Node, type Pod, resources } from '../../../api/index.ts'
import type { Registry } from '../registry/registry.ts'
import { StatusError } from '../status.ts'

const preferred = ['InternalIP', 'Hostname', 'ExternalIP', 'InternalDNS', 'ExternalDNS'] as const
const defaultPort = 10_250

/** `https://ADDRESS:PORT` of the kubelet that runs a pod; 400 while it has none. */
export async function kubeletOf(registry: Registry, pod: Pod): Promise<URL> {
  const { nodeName } = pod.spec
  const name = pod.metadata.name ?? ''
  if (!nodeName) throw new StatusError('BadRequest', `pod ${name} does not have a host assigned`)
  const kind = registry.kind(resources.nodes)
  const node = (await registry.get({ kind, namespace: undefined, name: nodeName })).object as Node
  const address = preferred
    .map((type) => node.status?.addresses?.find((one) => one.type === type)?.address)
    .find((one) => one !== undefined)
  if (address === undefined)
    throw new StatusError('ServiceUnavailable', `node ${nodeName} has not said its address yet`)
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? defaultPort
  return new URL(`https://${address.includes(':') ? `[${address}]` : address}:${port}`)
}

/**
 * The container that a request means: the one it names, else the only one, else the one that the pod's annotation
 * names. 400 where that is not clear.
 */
export function containerOf(pod: Pod, asked: string | null): string {
  const { name = '', annotations = {} } = pod.metadata
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec
  const all = [...initContainers, ...containers, ...ephemeralContainers].map((one) => one.name)
  if (asked) {
    if (all.includes(asked)) return asked
    throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${name}`)
  }
  const [first, second] = containers
  if (first && !second) return first.name
  const chosen = annotations['kubectl.kubernetes.io/default-container']
  if (chosen !== undefined && all.includes(chosen)) return chosen
  throw new StatusError(
    'BadRequest',
    `a container name must be specified for pod ${name}, choose one of: [${all.join(' ')}]`,
  )
}
