import { hasErrno } from '../base/index.ts'
import { parseAddress } from './ip-address.ts'
import { changeNetwork, inNamespace, type NetlinkRequest, netlinkProtocol } from './netlink.ts'
import { decodeAttributes, encodeMessage, type NetlinkAttribute, u32 } from './netlink-message.ts'

/**
 * The kernel's table of flows, by ctnetlink: linux/netfilter/nfnetlink_conntrack.h. A flow that is forgotten is
 * translated anew by the rules of now: a UDP client that keeps its port would else go where it went before for as long
 * as it sends. Both answer how many there were.
 */
type Protocol = 'tcp' | 'udp' | 'sctp'

/** Where flows were sent on to (dnat). IPv4. */
export interface TranslatedFlows {
  protocol: Protocol
  address: string
  port: number
}

/** Where flows began towards, whatever became of them. IPv4 and IPv6. */
export interface FlowsToPort {
  protocol: Protocol
  port: number
}

const subsystem = 1 << 8
const request = { get: subsystem | 1, delete: subsystem | 2 }
const flag = { request: 0x1, ack: 0x4, dump: 0x300 }
const attribute = { original: 1, reply: 2, id: 12, filter: 25 }
const tuple = { ip: 1, protocol: 2 }
const ip = { source: 1, destination: 2 }
const protocolPart = { number: 1, sourcePort: 2, destinationPort: 3 }
const filterPart = { original: 1, reply: 2 }
/** What of a tuple the kernel compares. */
const compared = { source: 1 << 0, protocol: 1 << 3, sourcePort: 1 << 4, destinationPort: 1 << 5 }
const numbers = { tcp: 6, udp: 17, sctp: 132 }
const [ipv4, ipv6] = [2, 10] // AF_INET, AF_INET6

export function forgetTranslatedFlows(flows: TranslatedFlows, namespaceFd?: number): Promise<number> {
  const { protocol, address, port } = flows
  const reply = [
    { type: tuple.ip, value: [{ type: ip.source, value: parseAddress(address) }] },
    ports(protocol, protocolPart.sourcePort, port),
  ]
  const flags = compared.source | compared.protocol | compared.sourcePort
  const list = listRequest(ipv4, { attribute: attribute.reply, parts: reply, flags })
  return forgetAll(ipv4, list, (original) => wasTranslated(original, address), namespaceFd)
}

export async function forgetFlowsToPort(flows: FlowsToPort, namespaceFd?: number): Promise<number> {
  const parts = [ports(flows.protocol, protocolPart.destinationPort, flows.port)]
  const flags = compared.protocol | compared.destinationPort
  let count = 0
  for (const family of [ipv4, ipv6]) {
    const list = listRequest(family, { attribute: attribute.original, parts, flags })
    count += await forgetAll(family, list, () => true, namespaceFd)
  }
  return count
}

async function forgetAll(
  family: number,
  list: NetlinkRequest,
  isMeant: (original: Buffer) => boolean,
  namespaceFd: number | undefined,
): Promise<number> {
  const [found = []] = await changeNetwork(inNamespace(namespaceFd, list), netlinkProtocol.netfilter)
  let count = 0
  for (const { payload } of found) {
    const flow = decodeAttributes(payload.subarray(header(family).length))
    const original = flow.get(attribute.original)
    const id = flow.get(attribute.id)
    if (!original || !id || !isMeant(original)) continue
    if (await forget(family, original, id, namespaceFd)) count++
  }
  return count
}

/** struct nfgenmsg */
function header(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0])
}

function ports(protocol: Protocol, part: number, port: number): NetlinkAttribute {
  const portBytes = Buffer.alloc(2)
  portBytes.writeUInt16BE(port)
  const number = { type: protocolPart.number, value: Buffer.from([numbers[protocol]]) }
  return { type: tuple.protocol, value: [number, { type: part, value: portBytes }] }
}

/** The kernel compares one side of a flow, the original or the reply, with these parts. */
function listRequest(
  family: number,
  side: { attribute: number; parts: NetlinkAttribute[]; flags: number },
): NetlinkRequest {
  const isOriginal = side.attribute === attribute.original
  const filter: NetlinkAttribute[] = [
    { type: filterPart.original, value: u32(isOriginal ? side.flags : 0) },
    { type: filterPart.reply, value: u32(isOriginal ? 0 : side.flags) },
  ]
  return {
    label: 'flows',
    message: encodeMessage(request.get, flag.request | flag.dump, header(family), [
      { type: side.attribute, value: side.parts },
      { type: attribute.filter, value: filter },
    ]),
  }
}

/** A flow that was sent to the endpoint itself was not translated. */
function wasTranslated(original: Buffer, address: string): boolean {
  const addresses = decodeAttributes(decodeAttributes(original).get(tuple.ip) ?? Buffer.alloc(0))
  const destination = addresses.get(ip.destination)
  return destination !== undefined && !destination.equals(parseAddress(address))
}

async function forget(
  family: number,
  original: Buffer,
  id: Buffer,
  namespaceFd: number | undefined,
): Promise<boolean> {
  const message = encodeMessage(request.delete, flag.request | flag.ack, header(family), [
    // As it came: already in the form of nested attributes, which only have to be marked as such.
    { type: attribute.original | 0x8000, value: original },
    { type: attribute.id, value: id },
  ])
  try {
    await changeNetwork(inNamespace(namespaceFd, { label: 'flow', message }), netlinkProtocol.netfilter)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false
    throw error
  }
}
