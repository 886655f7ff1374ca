import { type Bandwidth, burstBits } from '../bandwidth.ts'
import type { PortMapping } from '../pod-network.ts'
import { isObject, type JsonObject } from './json.ts'
import type { PluginConfig } from './network-list.ts'
import type { ResultDns } from './result.ts'

/** What a runtime offers to plugins that declare they can use it (CNI conventions, "dynamic plugin specific fields"). */
export interface Offers {
  portMappings?: readonly PortMapping[]
  bandwidth?: Bandwidth
  /** Ranges to take addresses from, a list per address: `[[{ subnet: '10.42.3.0/24' }]]`. */
  ipRanges?: readonly (readonly { subnet: string }[])[]
  dns?: ResultDns
  /** Other names of the pod on this network. */
  aliases?: readonly string[]
  mac?: string
  /** Addresses to be given, with prefix length. */
  ips?: readonly string[]
  cgroupPath?: string
}

type Write = (offers: Offers) => unknown

/** Capability → what is written into `runtimeConfig`; undefined: nothing. */
const writers: Readonly<Record<string, Write>> = {
  portMappings: ({ portMappings }) => filled(portMappings)?.map(mapping),
  bandwidth: ({ bandwidth }) => bandwidth && limits(bandwidth),
  ipRanges: ({ ipRanges }) => filled(ipRanges),
  dns: ({ dns }) => dns && { searches: dns.searches, servers: dns.nameservers, options: dns.options },
  aliases: ({ aliases }) => filled(aliases),
  mac: ({ mac }) => mac,
  ips: ({ ips }) => filled(ips),
  cgroupPath: ({ cgroupPath }) => cgroupPath,
}

/** The plugin's `runtimeConfig`: what it declared and we have. Undefined when that is nothing. */
export function runtimeConfigFor({ capabilities }: PluginConfig, offers: Offers): JsonObject | undefined {
  const declared = isObject(capabilities) ? capabilities : {}
  const pairs = Object.entries(writers)
    .filter(([name]) => declared[name] === true)
    .map(([name, write]) => [name, write(offers)])
    .filter(([, value]) => value !== undefined)
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined
}

function mapping({ protocol, hostPort, containerPort, hostIp = '' }: PortMapping): JsonObject {
  return { hostPort, containerPort, protocol, ...(hostIp === '' ? {} : { hostIP: hostIp }) }
}

function limits({ ingressBits, egressBits }: Bandwidth): JsonObject | undefined {
  const limited: JsonObject = {
    ...(ingressBits === undefined ? {} : { ingressRate: ingressBits, ingressBurst: burstBits(ingressBits) }),
    ...(egressBits === undefined ? {} : { egressRate: egressBits, egressBurst: burstBits(egressBits) }),
  }
  return Object.keys(limited).length > 0 ? limited : undefined
}

function filled<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined
}
