import { type Family, hostAddressOf } from './host-ports.ts'
import type { Lease } from './leases.ts'
import type { NetworkNames } from './names.ts'
import { parseRanges } from './pod-ranges.ts'

export interface RulesetOptions {
  names: Pick<NetworkNames, 'table' | 'linkPrefix'>
  /** This node's range, or one of each family. */
  podCidr: string
  /** All pods of the cluster: traffic to them keeps its source. */
  clusterCidr: string
}

type Ports = readonly Pick<Lease, 'address' | 'address6' | 'portMappings'>[]

/** What differs between the families. */
interface FamilyWords {
  family: Family
  /** As nft names the header: `ip daddr`. */
  ip: 'ip' | 'ip6'
  type: 'ipv4_addr' | 'ipv6_addr'
  /** Ending of the names of maps and sets. */
  mark: '' | '6'
  multicast: string
  range: string
  cluster: string
}

const words = {
  4: { family: 4, ip: 'ip', type: 'ipv4_addr', mark: '', multicast: '224.0.0.0/4' },
  6: { family: 6, ip: 'ip6', type: 'ipv6_addr', mark: '6', multicast: 'ff00::/8' },
} as const

/**
 * The pod network's table, whole; applying it replaces the former one in the same transaction. Costs per packet do not
 * grow with the number of pods: everything per pod is a map or set element.
 */
export function podRuleset({ names, podCidr, clusterCidr }: RulesetOptions, leases: Ports): string {
  const pods = `"${names.linkPrefix}*"`
  const [range, cluster] = [parseRanges(podCidr), parseRanges(clusterCidr)]
  const families: FamilyWords[] = [{ ...words[4], range: range.four, cluster: cluster.four }]
  if (range.six !== undefined)
    families.push({ ...words[6], range: range.six, cluster: cluster.six ?? range.six })
  const each = (write: (one: FamilyWords, pods: string) => string) =>
    families.map((one) => write(one, pods)).join('')
  return `table inet ${names.table}
delete table inet ${names.table}
table inet ${names.table} {
${each((one) => hostPortMaps(one, leases))}  chain from-pods {
    type filter hook prerouting priority raw
    # Only root of a pod can send these (CAP_NET_RAW); a host that heeded them would send its packets to the pod.
    iifname ${pods} icmpv6 type { nd-router-advert, nd-redirect } drop
    # A link with route_localnet (host ports on 127.0.0.1) would let the pod speak to the host's loopback services.
    iifname ${pods} ip daddr 127.0.0.0/8 drop
    # A pod speaks with its own addresses only: those that are routed to its link.
    iifname ${pods} meta nfproto ipv4 fib saddr . iif oif missing drop
    iifname ${pods} ip6 saddr != { ::, fe80::/10 } fib saddr . iif oif missing drop
  }
  # An address of a pod that is gone has no route here any more: without an answer at once its clients, Services
  # among them, would send on to wherever the host's other packets go.
  chain refuse-gone {
${each(refuseGone)}  }
  chain forward {
    type filter hook forward priority filter
    jump refuse-gone
  }
  chain send {
    type filter hook output priority filter
    jump refuse-gone
  }
  chain to-host-ports {
    fib daddr type != local return
    # The kernel looks for ::1 on the link that an answer came by, and nowhere else: better refused than unanswered.
    ip6 daddr ::1 return
${each(toHostPorts)}  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    jump to-host-ports
  }
  chain output {
    type nat hook output priority -100
    jump to-host-ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname ${pods} ip saddr 127.0.0.0/8 masquerade
${each(hideSources)}  }
}
`
}

function refuseGone({ ip, range }: FamilyWords, pods: string): string {
  const gone = `${ip} daddr ${range} oifname != { "lo", ${pods} }`
  return `    ${gone} meta l4proto tcp reject with tcp reset
    ${gone} reject with icmpx host-unreachable
`
}

function toHostPorts({ ip, mark }: FamilyWords): string {
  const send = `meta l4proto { tcp, udp, sctp } dnat ${ip} addr . port to`
  return `    ${send} ${ip} daddr . meta l4proto . th dport map @host-ports-of-address${mark}
    ${send} meta l4proto . th dport map @host-ports${mark}
`
}

function hideSources({ ip, mark, range, cluster, multicast }: FamilyWords): string {
  return `    ct status dnat ${ip} saddr . ${ip} daddr @host-port-hairpin${mark} masquerade
    ${ip} saddr ${range} ${ip} daddr != { ${cluster}, ${multicast} } masquerade fully-random
`
}

/** Removes a table whether it is there or not. */
export function removeTable(family: string, table: string): string {
  return `table ${family} ${table}\ndelete table ${family} ${table}\n`
}

function hostPortMaps({ family, type, mark }: FamilyWords, leases: Ports): string {
  const { anyAddress, oneAddress, hairpin } = hostPortElements(family, leases)
  return `  map host-ports${mark} {
    type inet_proto . inet_service : ${type} . inet_service
${elements(anyAddress)}  }
  map host-ports-of-address${mark} {
    type ${type} . inet_proto . inet_service : ${type} . inet_service
${elements(oneAddress)}  }
  set host-port-hairpin${mark} {
    type ${type} . ${type}
${elements(hairpin)}  }
`
}

function hostPortElements(family: Family, leases: Ports) {
  const anyAddress: string[] = []
  const oneAddress: string[] = []
  const hairpin: string[] = []
  for (const lease of leases) {
    const address = family === 4 ? lease.address : lease.address6
    if (address === undefined) continue
    for (const mapping of lease.portMappings) {
      const element = `${mapping.protocol} . ${mapping.hostPort} : ${address} . ${mapping.containerPort}`
      const host = hostAddressOf(mapping, family)
      if (host === 'any') anyAddress.push(element)
      else if (host !== undefined) oneAddress.push(`${host} . ${element}`)
    }
    if (lease.portMappings.length > 0) hairpin.push(`${address} . ${address}`)
  }
  return { anyAddress, oneAddress, hairpin }
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `    elements = {\n      ${list.join(',\n      ')}\n    }\n`
}
