import { KeelsonError } from '../base/index.ts'
import { changeNetwork, inNamespace } from './netlink.ts'
import { decodeAttributes, encodeMessage, type NetlinkMessage, readText } from './netlink-message.ts'

/** What a link has carried, by struct rtnl_link_stats64 of linux/if_link.h. */
export interface LinkStatistics {
  name: string
  isLoopback: boolean
  receive: LinkCounters
  transmit: LinkCounters
}

export interface LinkCounters {
  bytes: bigint
  packets: bigint
  errors: bigint
  dropped: bigint
}

const request = { newLink: 16, getLink: 18 }
const dump = 0x1 | 0x300
const attribute = { name: 3, statistics64: 23 }
const loopback = 0x8
const headerBytes = 16
/** The first eight numbers, received beside transmitted: packets, bytes, errors, dropped. */
const statisticsBytes = 8 * 8

/** Of every link of a network namespace (borrowed descriptor), in the kernel's order. */
export async function linkStatistics(namespaceFd?: number): Promise<LinkStatistics[]> {
  const message = encodeMessage(request.getLink, dump, Buffer.alloc(headerBytes))
  const [answer = []] = await changeNetwork(inNamespace(namespaceFd, { label: 'links', message }))
  return linkStatisticsOf(answer)
}

/** Reads them out of an answer. */
export function linkStatisticsOf(messages: readonly NetlinkMessage[]): LinkStatistics[] {
  return messages.filter(({ type }) => type === request.newLink).map(decode)
}

function decode({ payload }: NetlinkMessage): LinkStatistics {
  if (payload.length < headerBytes) throw new KeelsonError('DATA_LOSS', 'netlink: a torn link message')
  const attributes = decodeAttributes(payload.subarray(headerBytes))
  const numbers = attributes.get(attribute.statistics64) ?? Buffer.alloc(0)
  const at = (index: number) => (numbers.length < statisticsBytes ? 0n : numbers.readBigUInt64LE(8 * index))
  const counters = (side: 0 | 1): LinkCounters => ({
    packets: at(side),
    bytes: at(2 + side),
    errors: at(4 + side),
    dropped: at(6 + side),
  })
  return {
    name: readText(attributes.get(attribute.name) ?? Buffer.alloc(0)),
    isLoopback: (payload.readUInt32LE(8) & loopback) !== 0,
    receive: counters(0),
    transmit: counters(1),
  }
}
