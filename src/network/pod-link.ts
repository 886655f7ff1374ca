import { isIPv6 } from 'node:net'
import { hasErrno } from '../base/index.ts'
import {
  addVeth,
  changeNetwork,
  deleteLink,
  deleteRoute,
  getLink,
  inNamespace,
  limitRate,
  linksOf,
  type NetlinkRequest,
  type PlacedMessage,
  type PlacedRequest,
  parseAddress,
  setAddress,
  setLinkUp,
  setNeighbour,
  setRoute,
  setting,
  writeSysctl,
} from '../kernel/index.ts'
import { type Bandwidth, burstBits } from './bandwidth.ts'

/**
 * A pod's link: a veth with a /32 (and a /128) on the pod's side and a route to each on the host's. No bridge, so nothing is switched,
 * flooded or learnt, and every packet passes the host's ordinary routing and nftables.
 *
 * The pod's default route goes through 169.254.1.1, which nobody has: a permanent neighbour entry gives it the host
 * end's MAC address; fe80::1 likewise for IPv6. Against answering ARP for it (proxy_arp), this needs no sysctl per link, no round trip before
 * the first packet, and cannot expire. The host end knows the pod by a permanent entry likewise, so that a pod cannot
 * take over another's address by ARP.
 */
export interface PodLinkRequest {
  hostLink: string
  linkGroup: number
  mtu: number
  addresses: readonly PodAddress[]
  bandwidth: Bandwidth
  podNamespaceFd: number
  hostNamespaceFd: number | undefined
  /** Lets connections to 127.0.0.1 on the host be sent on to this pod. */
  localHostPorts: boolean
}

export interface PodAddress {
  address: string
  /** The node's own pod-network address of that family: what the host's packets to this pod carry. */
  hostAddress: string
}

/** Nobody's; the one of IPv6 is on the link alone, as gateways there are. */
const gateways = { 4: '169.254.1.1', 6: 'fe80::1' } as const
const podLinkName = 'eth0'
const hostMac = '02:6b:65:65:6c:01'

/** Makes the link, or completes one that was begun for the same namespace. In one go: each trip costs a thread its turn. */
export async function connectPod(request: PodLinkRequest): Promise<void> {
  const { hostLink, hostNamespaceFd } = request
  const rest = setUpOf(request)
  try {
    await changeNetwork([...pairOf(request), ...rest])
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error
    if (!(await isMade(request))) {
      // The namespace of an earlier attempt is on its way out and still holds the name.
      await removeLink(hostLink, hostNamespaceFd)
      rest.unshift(...pairOf(request))
    }
    await changeNetwork(rest)
  }
  if (request.localHostPorts)
    await writeSysctl(`net/ipv4/conf/${hostLink}/route_localnet`, '1', hostNamespaceFd)
}

/** Stops packets to the pod. The link stays for the kernel to remove with its namespace: deleting it takes 30 ms. */
export async function disconnectPod(
  addresses: readonly string[],
  hostNamespaceFd: number | undefined,
): Promise<void> {
  for (const address of addresses)
    await changeNetwork(
      inNamespace(hostNamespaceFd, deleteRoute({ destination: wholeAddress(address) })),
    ).catch((error: unknown) => {
      if (!hasErrno(error, 'ESRCH')) throw error
    })
}

/** With the prefix length that makes it a block of one. */
export function wholeAddress(address: string): string {
  return `${address}/${isIPv6(address) ? 128 : 32}`
}

/** Deletes a link at once, for the rare case that its name is in the way. */
export async function removeLink(name: string, hostNamespaceFd: number | undefined): Promise<void> {
  await changeNetwork(inNamespace(hostNamespaceFd, deleteLink(name))).catch((error: unknown) => {
    if (!hasErrno(error, 'ENODEV')) throw error
  })
}

function pairOf(request: PodLinkRequest): PlacedRequest[] {
  const { hostLink: name, linkGroup: group, mtu, podNamespaceFd, hostNamespaceFd } = request
  const peer = { name: podLinkName, macAddress: podMac(request), mtu, namespaceFd: podNamespaceFd }
  return inNamespace(hostNamespaceFd, addVeth({ name, macAddress: hostMac, mtu, group, peer }))
}

async function isMade(request: PodLinkRequest): Promise<boolean> {
  try {
    const answers = await changeNetwork([
      ...inNamespace(request.hostNamespaceFd, getLink(request.hostLink)),
      ...inNamespace(request.podNamespaceFd, getLink(podLinkName)),
    ])
    const [host, pod] = answers.flatMap(linksOf)
    return pod?.macAddress === podMac(request) && host?.peerIndex === pod.index
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) return false
    throw error
  }
}

/**
 * The host's end is looked up first, for the indexes of both. A pod must not become the host's router by a router
 * advertisement, also where the ruleset is lost: that is set before the pod's end is up, so that none comes first. A host
 * without IPv6 has no such file, and one whose settings we may not change has the ruleset.
 */
function setUpOf(request: PodLinkRequest): PlacedRequest[] {
  const { hostLink, addresses, bandwidth, podNamespaceFd, hostNamespaceFd } = request
  const macAddress = podMac(request)
  const ofHost = addresses.flatMap(({ address, hostAddress }) => [
    setNeighbour({ address, macAddress, linkIndex }),
    setRoute({ destination: wholeAddress(address), source: hostAddress, linkIndex }),
  ])
  return [
    ...inNamespace(hostNamespaceFd, getLink(hostLink)),
    setting(`net/ipv6/conf/${hostLink}/accept_ra`, '0', hostNamespaceFd),
    ...inNamespace(podNamespaceFd, setLinkUp(podLinkName)),
    ...of('peer', inNamespace(podNamespaceFd, ...addresses.flatMap(inPod), ...limitOf(bandwidth.egressBits))),
    ...of('found', inNamespace(hostNamespaceFd, ...ofHost, ...limitOf(bandwidth.ingressBits))),
  ]
}

/** Replaced by that of the end that `of` names. */
const linkIndex = 1

function of(link: 'found' | 'peer', requests: readonly PlacedMessage[]): PlacedRequest[] {
  return requests.map((request) => ({ ...request, link }))
}

function inPod({ address }: PodAddress): NetlinkRequest[] {
  const isSix = isIPv6(address)
  const gateway = gateways[isSix ? 6 : 4]
  return [
    setAddress({ address: wholeAddress(address), linkIndex }),
    setNeighbour({ address: gateway, macAddress: hostMac, linkIndex }),
    setRoute({ destination: isSix ? '::/0' : '0.0.0.0/0', gateway, linkIndex }),
  ]
}

const queueSeconds = 0.025

/**
 * What leaves the host's end enters the pod, and the other way round. The limit of the pod's own packets is in its
 * namespace, where they can wait instead of being dropped; whoever may administer the pod's network may take it away.
 */
function limitOf(bits: number | undefined): NetlinkRequest[] {
  if (bits === undefined) return []
  const bytesPerSecond = Math.ceil(bits / 8)
  const burstBytes = Math.ceil(burstBits(bits) / 8)
  const queueBytes = Math.min(burstBytes + Math.ceil(bytesPerSecond * queueSeconds), 2 ** 31)
  return [limitRate({ linkIndex, bytesPerSecond, burstBytes, queueBytes })]
}

/** Locally administered, and the IPv4 address in it, so that a capture can be read. */
function podMac({ addresses }: PodLinkRequest): string {
  const four = addresses.find(({ address }) => !isIPv6(address))
  const bytes = Buffer.concat([Buffer.from([0x02, 0x6b]), parseAddress(four?.address ?? '0.0.0.0')])
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
