import { hasErrno, KeelsonError } from '../base/index.ts'
import {
  addVeth,
  changeNetwork,
  deleteLink,
  deleteRoute,
  getLink,
  inNamespace,
  type Link,
  linksOf,
  parseAddress,
  setAddress,
  setLinkUp,
  setNeighbour,
  setRoute,
  writeSysctl,
} from '../kernel/index.ts'

/**
 * A pod's link: a veth with a /32 on the pod's side and a /32 route on the host's. No bridge, so nothing is switched,
 * flooded or learnt, and every packet passes the host's ordinary routing and nftables.
 *
 * The pod's default route goes through 169.254.1.1, which nobody has: a permanent neighbour entry gives it the host
 * end's MAC address. Against answering ARP for it (proxy_arp), this needs no sysctl per link, no round trip before
 * the first packet, and cannot expire. The host end knows the pod by a permanent entry likewise, so that a pod cannot
 * take over another's address by ARP.
 */
export interface PodLinkRequest {
  hostLink: string
  linkGroup: number
  mtu: number
  address: string
  /** The node's own pod-network address: what the host's packets to this pod carry. */
  hostAddress: string
  podNamespaceFd: number
  hostNamespaceFd: number | undefined
  /** Lets connections to 127.0.0.1 on the host be sent on to this pod. */
  localHostPorts: boolean
}

const gateway = '169.254.1.1'
const podLinkName = 'eth0'
const hostMac = '02:6b:65:65:6c:01'

/** Makes the link, or completes one that was begun for the same namespace. */
export async function connectPod(request: PodLinkRequest): Promise<void> {
  const host = await makeVeth(request)
  await addressPod(request, host)
  if (request.localHostPorts)
    await writeSysctl(`net/ipv4/conf/${request.hostLink}/route_localnet`, '1', request.hostNamespaceFd)
}

/** Stops packets to the pod. The link stays for the kernel to remove with its namespace: deleting it takes 30 ms. */
export async function disconnectPod(address: string, hostNamespaceFd: number | undefined): Promise<void> {
  const request = deleteRoute({ destination: `${address}/32` })
  await changeNetwork(inNamespace(hostNamespaceFd, request)).catch((error: unknown) => {
    if (!hasErrno(error, 'ESRCH')) throw error
  })
}

/** Deletes a link at once, for the rare case that its name is in the way. */
export async function removeLink(name: string, hostNamespaceFd: number | undefined): Promise<void> {
  await changeNetwork(inNamespace(hostNamespaceFd, deleteLink(name))).catch((error: unknown) => {
    if (!hasErrno(error, 'ENODEV')) throw error
  })
}

async function makeVeth(request: PodLinkRequest): Promise<Link> {
  try {
    return await addPair(request)
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  const found = await findPair(request)
  if (found) return found
  // The namespace of an earlier attempt is on its way out and still holds the name.
  await removeLink(request.hostLink, request.hostNamespaceFd)
  return addPair(request)
}

async function addPair(request: PodLinkRequest): Promise<Link> {
  const { hostLink: name, linkGroup: group, mtu, podNamespaceFd, hostNamespaceFd } = request
  const peer = { name: podLinkName, macAddress: podMac(request.address), mtu, namespaceFd: podNamespaceFd }
  const veth = addVeth({ name, macAddress: hostMac, mtu, group, peer })
  const answers = await changeNetwork(inNamespace(hostNamespaceFd, veth, getLink(name)))
  return first(answers.flatMap(linksOf), name)
}

async function findPair(request: PodLinkRequest): Promise<Link | undefined> {
  try {
    const answers = await changeNetwork([
      ...inNamespace(request.hostNamespaceFd, getLink(request.hostLink)),
      ...inNamespace(request.podNamespaceFd, getLink(podLinkName)),
    ])
    const [host, pod] = answers.flatMap(linksOf)
    const same = host && pod && pod.macAddress === podMac(request.address) && host.peerIndex === pod.index
    return same ? host : undefined
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) return undefined
    throw error
  }
}

async function addressPod(request: PodLinkRequest, host: Link): Promise<void> {
  const { address, hostAddress, podNamespaceFd, hostNamespaceFd } = request
  const pod = host.peerIndex ?? 0
  const macAddress = podMac(address)
  await changeNetwork([
    ...inNamespace(
      podNamespaceFd,
      setLinkUp(podLinkName),
      setAddress({ address: `${address}/32`, linkIndex: pod }),
      setNeighbour({ address: gateway, macAddress: hostMac, linkIndex: pod }),
      setRoute({ destination: '0.0.0.0/0', gateway, linkIndex: pod }),
    ),
    ...inNamespace(
      hostNamespaceFd,
      setNeighbour({ address, macAddress, linkIndex: host.index }),
      setRoute({ destination: `${address}/32`, source: hostAddress, linkIndex: host.index }),
    ),
  ])
}

/** Locally administered, and the address in it, so that a capture can be read. */
function podMac(address: string): string {
  const bytes = Buffer.concat([Buffer.from([0x02, 0x6b]), parseAddress(address)])
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function first(links: readonly Link[], name: string): Link {
  const [link] = links
  if (link) return link
  throw new KeelsonError('INTERNAL', `the kernel did not describe link ${name}`)
}
