import { ApiClient, createHttpTransport, readKubeconfig } from '../api/index.ts'
import { Cleanup } from '../base/index.ts'
import { createKubelet } from '../kubelet/index.ts'
import { nodeAddress } from '../network/index.ts'
import { type ServiceProxy, startServiceProxy } from '../services/index.ts'
import type { ProcessOptions } from './control-plane.ts'
import { serveSocket } from './cri-socket.ts'
import { serveBeside } from './oci/compile-service/start.ts'
import { pathsOf } from './paths.ts'
import type { PodStack } from './pod-stack/index.ts'
import { openNodePodStack } from './pod-stack/node.ts'

/**
 * A node: the pod stack, served on the CRI socket and handed to the kubelet as the object it is, and the service
 * proxy. Its certificate, the authority and the server's address come from the node's kubeconfig.
 */
export async function startNode(options: ProcessOptions): Promise<AsyncDisposable> {
  const { config, clock, log, onStep } = options
  const paths = pathsOf(config)
  await using undo = new Cleanup()
  const pods = await undo.use(openNodePodStack(options))
  await undo.use(serveSocket({ path: config.criSocket }, pods))
  onStep('CRI')
  const { transport } = await readKubeconfig(paths.nodeKubeconfig)
  const connection = await undo.use(createHttpTransport(transport))
  const client = new ApiClient(connection)
  const services = await undo.use(
    startServiceProxy({
      client,
      instance: config.instance,
      serviceCidr: config.serviceCidr,
      hostAddress: nodeAddress(config.podCidr),
      runDirectory: config.runDirectory,
      clock,
      log: log.child({ part: 'services' }),
    }),
  )
  onStep('services')
  await undo.use(startKubelet(client, transport, { ...pods, services }, options))
  onStep('kubelet')
  await undo.use(serveBeside({ clock, log: log.child({ part: 'oci' }) }))
  return undo.move()
}

type Access = Awaited<ReturnType<typeof readKubeconfig>>['transport']

/** Its certificate is the node's own, for both directions; clients must come from the cluster's authority. */
async function startKubelet(
  client: ApiClient,
  { ca = '', cert = '', key = '' }: Access,
  { runtime, image, services }: Pick<PodStack, 'runtime' | 'image'> & { services: ServiceProxy },
  { config, clock, log, signal }: ProcessOptions,
): Promise<AsyncDisposable> {
  const { nodeName, address, kubeletPort, podCidr } = config
  const kubelet = await createKubelet({
    nodeName,
    client,
    runtime,
    image,
    dataDirectory: pathsOf(config).kubelet,
    addresses: [
      { type: 'InternalIP', address: nodeAddress(podCidr) },
      { type: 'Hostname', address: nodeName },
    ],
    serverTls: { certificate: `${cert}`, key: `${key}`, clientCa: `${ca}` },
    listenAddress: address,
    released: (podIPs, until) => services.released(podIPs, until),
    port: kubeletPort,
    clock,
    log: log.child({ part: 'kubelet' }),
  })
  await kubelet.start(signal)
  return { [Symbol.asyncDispose]: () => kubelet.stop() }
}
