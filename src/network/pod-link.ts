import { isIPv6 } from 'node:net'
import { hasErrno, KeelsonError } from '../base/index.ts'
import {
  addVeth,
  changeNetwork,
  deleteLink,
  deleteRoute,
  getLink,
  inNamespace,
  type Link,
  limitRate,
  linksOf,
  type NetlinkRequest,
  parseAddress,
  setAddress,
  setLinkUp,
  setNeighbour,
  setRoute,
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

/** Makes the link, or completes one that was begun for the same namespace. */
export async function connectPod(request: PodLinkRequest): Promise<void> {
  const host = await makeVeth(request)
  await refuseRouters(request)
  await addressPod(request, host)
  await limitPod(request, host)
  if (request.localHostPorts)
    await writeSysctl(`net/ipv4/conf/${request.hostLink}/route_localnet`, '1', request.hostNamespaceFd)
}

/**
 * A pod must not become the host's router by a router advertisement, also where the ruleset is lost. Before the pod's
 * end is up, so that none comes first. A host without IPv6 has no such file, and one whose settings we may not change
 * has the ruleset.
 */
async function refuseRouters({ hostLink, hostNamespaceFd }: PodLinkRequest): Promise<void> {
  const path = `net/ipv6/conf/${hostLink}/accept_ra`
  await writeSysctl(path, '0', hostNamespaceFd).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw error
  })
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
  const peer = { name: podLinkName, macAddress: podMac(request), mtu, namespaceFd: podNamespaceFd }
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
    const same = host && pod && pod.macAddress === podMac(request) && host.peerIndex === pod.index
    return same ? host : undefined
  } catch (error) {
    if (hasErrno(error, 'ENODEV')) return undefined
    throw error
  }
}

async function addressPod(request: PodLinkRequest, host: Link): Promise<void> {
  const { addresses, podNamespaceFd, hostNamespaceFd } = request
  const pod = host.peerIndex ?? 0
  const macAddress = podMac(request)
  await changeNetwork([
    ...inNamespace(podNamespaceFd, setLinkUp(podLinkName), ...addresses.flatMap((one) => inPod(one, pod))),
    ...inNamespace(
      hostNamespaceFd,
      ...addresses.flatMap(({ address, hostAddress }) => [
        setNeighbour({ address, macAddress, linkIndex: host.index }),
        setRoute({ destination: wholeAddress(address), source: hostAddress, linkIndex: host.index }),
      ]),
    ),
  ])
}

function inPod({ address }: PodAddress, linkIndex: number): NetlinkRequest[] {
  const isSix = isIPv6(address)
  const gateway = gateways[isSix ? 6 : 4]
  return [
    setAddress({ address: wholeAddress(address), linkIndex }),
    setNeighbour({ address: gateway, macAddress: hostMac, linkIndex }),
    setRoute({ destination: isSix ? '::/0' : '0.0.0.0/0', gateway, linkIndex }),
  ]
}

/**
 * What leaves the host's end enters the pod, and the other way round. The limit of the pod's own packets is in its
 * namespace, where they can wait instead of being dropped; whoever may administer the pod's network may take it away.
 */
async function limitPod(
  { bandwidth, podNamespaceFd, hostNamespaceFd }: PodLinkRequest,
  host: Link,
): Promise<void> {
  const { ingressBits, egressBits } = bandwidth
  const limits = [
    ...inNamespace(hostNamespaceFd, ...limitOf(ingressBits, host.index)),
    ...inNamespace(podNamespaceFd, ...limitOf(egressBits, host.peerIndex ?? 0)),
  ]
  if (limits.length > 0) await changeNetwork(limits)
}

const queueSeconds = 0.025

function limitOf(bits: number | undefined, linkIndex: number): NetlinkRequest[] {
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

function first(links: readonly Link[], name: string): Link {
  const [link] = links
  if (link) return link
  throw new KeelsonError('INTERNAL', `the kernel did not describe link ${name}`)
}
