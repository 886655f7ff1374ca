import { Cleanup, silentLogger, systemClock } from '../../src/base/index.ts'
import {
  addVeth,
  changeNetwork,
  getLink,
  inNamespace,
  linksOf,
  type Nft,
  type OwnedFd,
  openNft,
  setAddress,
  setLinkUp,
  setRoute,
  writeSysctl,
} from '../../src/kernel/index.ts'
import { type Ledger, openLedger } from '../../src/ledger/index.ts'
import {
  createPodNetwork,
  type PodNetwork,
  type PodNetworkRequest,
  restoreHost,
} from '../../src/network/index.ts'
import { type TestNamespaces, testNamespaces } from './network-namespaces.ts'

/** A node that is a network namespace of the test's own, with a pod network on it. */
export interface TestNode extends AsyncDisposable {
  namespaces: TestNamespaces
  /** The node itself. */
  host: OwnedFd
  nft: Nft
  ledger: Ledger
  network: PodNetwork
  options: Parameters<typeof createPodNetwork>[0]
  /** Gives a pod its namespace and network. */
  addPod(
    id: string,
    request?: Partial<PodNetworkRequest>,
  ): Promise<{ net: OwnedFd; address: string; addresses: string[] }>
  restoreHost(): Promise<void>
}

/** The node alone, and what a network on it is made with. */
export async function testNodeOptions() {
  await using cleanup = new Cleanup()
  const namespaces = await cleanup.use(testNamespaces())
  const host = await namespaces.get('node')
  // A new namespace begins with the machine's value, which depends on what else runs there.
  await writeSysctl('net/ipv4/ip_forward', '0', host.fd)
  const nft = await nftInside(namespaces, host)
  const ledger = await cleanup.use(
    openLedger({ path: `${namespaces.directory}/ledger`, mapSizeBytes: 1 << 24 }),
  )
  const options = {
    instance: 'keelson',
    podCidr: '10.42.0.0/24',
    clusterCidr: '10.42.0.0/16',
    ledger,
    dataDirectory: namespaces.directory,
    runDirectory: namespaces.directory,
    clock: systemClock,
    log: silentLogger,
    host: { namespaceFd: host.fd, nft },
  }
  return Object.assign(cleanup.move(), { namespaces, host, nft, ledger, options })
}

export type TestNodeParts = Awaited<ReturnType<typeof testNodeOptions>>

/** `made` stays the caller's. */
export async function testNode(
  more: Partial<TestNode['options']> = {},
  made?: TestNodeParts,
): Promise<TestNode> {
  await using cleanup = new Cleanup()
  const node = made ?? (await cleanup.use(testNodeOptions()))
  const options = { ...node.options, ...more }
  const network = await cleanup.use(createPodNetwork(options))
  return Object.assign(cleanup.move(), {
    ...node,
    options,
    network,
    async addPod(id: string, request: Partial<PodNetworkRequest> = {}) {
      const net = await node.namespaces.get(id)
      const { addresses } = await network.setUp(podRequest(id, net, request))
      return { net, address: addresses[0] ?? '', addresses }
    },
    restoreHost: () => restoreHost(options),
  })
}

export function podRequest(
  id: string,
  net: OwnedFd,
  more: Partial<PodNetworkRequest> = {},
): PodNetworkRequest {
  return {
    sandboxId: id,
    namespaceFd: net.fd,
    podNamespace: 'default',
    podName: id,
    podUid: `uid-${id}`,
    portMappings: [],
    ...more,
  }
}

export function nftInside(namespaces: TestNamespaces, net: OwnedFd): Promise<Nft> {
  const prefix = ['nsenter', `--net=/proc/${process.pid}/fd/${net.fd}`, '--']
  return openNft({ directory: namespaces.directory, prefix })
}

/** Joins the node to a machine outside: 192.0.2.1 on the node, 192.0.2.2 there, which knows nothing of pods. */
export async function connectOutside({ namespaces, host }: TestNode): Promise<OwnedFd> {
  const outside = await namespaces.get('outside')
  const peer = { name: 'eth0', macAddress: '02:00:00:00:00:02', mtu: 1500, namespaceFd: outside.fd }
  const veth = addVeth({ name: 'eth0', macAddress: '02:00:00:00:00:01', mtu: 1500, peer })
  const [link] = linksOf((await changeNetwork(inNamespace(host.fd, veth, getLink('eth0')))).flat())
  const [here, there] = [link?.index ?? 0, link?.peerIndex ?? 0]
  await changeNetwork([
    ...inNamespace(outside.fd, setLinkUp('eth0'), setAddress({ address: '192.0.2.2/24', linkIndex: there })),
    ...inNamespace(
      host.fd,
      setAddress({ address: '192.0.2.1/24', linkIndex: here }),
      setRoute({ destination: '0.0.0.0/0', gateway: '192.0.2.2', linkIndex: here }),
    ),
  ])
  return outside
}
