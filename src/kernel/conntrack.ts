import { hasErrno } from '../base/index.ts'
import { parseAddress } from './ip-address.ts'
import { changeNetwork, inNamespace, type NetlinkRequest, netlinkProtocol } from './netlink.ts'
import { decodeAttributes, encodeMessage, type NetlinkAttribute, u32 } from './netlink-message.ts'

/** The kernel's table of flows, by ctnetlink: linux/netfilter/nfnetlink_conntrack.h. IPv4. */
export interface TranslatedFlows {
  protocol: 'tcp' | 'udp' | 'sctp'
  /** Where the flows were sent on to (dnat). */
  address: string
  port: number
}

const subsystem = 1 << 8
const request = { get: subsystem | 1, delete: subsystem | 2 }
const flag = { request: 0x1, ack: 0x4, dump: 0x300 }
const attribute = { original: 1, reply: 2, id: 12, filter: 25 }
const tuple = { ip: 1, protocol: 2 }
const ip = { source: 1, destination: 2 }
const protocolPart = { number: 1, sourcePort: 2 }
const filterPart = { original: 1, reply: 2 }
/** What of the reply's tuple the kernel compares: source address, protocol, source port. */
const compared = (1 << 0) | (1 << 3) | (1 << 4)
const numbers = { tcp: 6, udp: 17, sctp: 132 }
const familyHeader = Buffer.from([2, 0, 0, 0]) // struct nfgenmsg, AF_INET

/**
 * Forgets the flows that were translated to an endpoint, so that their next packet is translated anew: a UDP client that
 * keeps its port would else be sent to an endpoint that is gone for as long as it sends. Answers how many there were.
 */
export async function forgetTranslatedFlows(flows: TranslatedFlows, namespaceFd?: number): Promise<number> {
  const [found = []] = await changeNetwork(
    inNamespace(namespaceFd, listRequest(flows)),
    netlinkProtocol.netfilter,
  )
  let count = 0
  for (const { payload } of found) {
    const flow = decodeAttributes(payload.subarray(familyHeader.length))
    const original = flow.get(attribute.original)
    const id = flow.get(attribute.id)
    if (!original || !id || !wasTranslated(original, flows.address)) continue
    if (await forget(original, id, namespaceFd)) count++
  }
  return count
}

function listRequest({ protocol, address, port }: TranslatedFlows): NetlinkRequest {
  const portBytes = Buffer.alloc(2)
  portBytes.writeUInt16BE(port)
  const reply: NetlinkAttribute[] = [
    { type: tuple.ip, value: [{ type: ip.source, value: parseAddress(address) }] },
    {
      type: tuple.protocol,
      value: [
        { type: protocolPart.number, value: Buffer.from([numbers[protocol]]) },
        { type: protocolPart.sourcePort, value: portBytes },
      ],
    },
  ]
  const filter: NetlinkAttribute[] = [
    { type: filterPart.original, value: u32(0) },
    { type: filterPart.reply, value: u32(compared) },
  ]
  return {
    label: `flows to ${address}:${port}`,
    message: encodeMessage(request.get, flag.request | flag.dump, familyHeader, [
      { type: attribute.reply, value: reply },
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

async function forget(original: Buffer, id: Buffer, namespaceFd: number | undefined): Promise<boolean> {
  const message = encodeMessage(request.delete, flag.request | flag.ack, familyHeader, [
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
