import type { Lease } from './leases.ts'
import type { NetworkNames } from './names.ts'

export interface RulesetOptions {
  names: Pick<NetworkNames, 'table' | 'linkPrefix'>
  /** This node's range. */
  podCidr: string
  /** All pods of the cluster: traffic to them keeps its source. */
  clusterCidr: string
}

/**
 * The pod network's table, whole; applying it replaces the former one in the same transaction. Costs per packet do not
 * grow with the number of pods: everything per pod is a map or set element.
 */
export function podRuleset(options: RulesetOptions, leases: readonly Lease[]): string {
  const { names, podCidr, clusterCidr } = options
  const pods = `"${names.linkPrefix}*"`
  const { anyAddress, oneAddress, hairpin } = hostPortElements(leases)
  return `table inet ${names.table}
delete table inet ${names.table}
table inet ${names.table} {
  map host-ports {
    type inet_proto . inet_service : ipv4_addr . inet_service
${elements(anyAddress)}  }
  map host-ports-of-address {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
${elements(oneAddress)}  }
  set host-port-hairpin {
    type ipv4_addr . ipv4_addr
${elements(hairpin)}  }
  chain from-pods {
    type filter hook prerouting priority raw
    # A link with route_localnet (host ports on 127.0.0.1) would let the pod speak to the host's loopback services.
    iifname ${pods} ip daddr 127.0.0.0/8 drop
    # A pod speaks with its own address only: the one that is routed to its link.
    iifname ${pods} meta nfproto ipv4 fib saddr . iif oif missing drop
  }
  # An address of a pod that is gone has no route here any more: without an answer at once its clients, Services
  # among them, would send on to wherever the host's other packets go.
  chain refuse-gone {
    ip daddr ${podCidr} oifname != { "lo", ${pods} } meta l4proto tcp reject with tcp reset
    ip daddr ${podCidr} oifname != { "lo", ${pods} } reject with icmpx host-unreachable
  }
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
    meta l4proto { tcp, udp, sctp } dnat ip addr . port to ip daddr . meta l4proto . th dport map @host-ports-of-address
    meta l4proto { tcp, udp, sctp } dnat ip addr . port to meta l4proto . th dport map @host-ports
  }
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
    ct status dnat ip saddr . ip daddr @host-port-hairpin masquerade
    ip saddr ${podCidr} ip daddr != { ${clusterCidr}, 224.0.0.0/4 } masquerade fully-random
  }
}
`
}

/** Removes a table whether it is there or not. */
export function removeTable(family: string, table: string): string {
  return `table ${family} ${table}\ndelete table ${family} ${table}\n`
}

/** True for a host port that is open on every address of the host. */
export function onAnyAddress(hostIp: string | undefined): boolean {
  return hostIp === undefined || hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::'
}

function hostPortElements(leases: readonly Lease[]) {
  const anyAddress: string[] = []
  const oneAddress: string[] = []
  const hairpin: string[] = []
  for (const { address, portMappings } of leases) {
    for (const { protocol, hostPort, hostIp, containerPort } of portMappings) {
      const element = `${protocol} . ${hostPort} : ${address} . ${containerPort}`
      if (onAnyAddress(hostIp)) anyAddress.push(element)
      else oneAddress.push(`${hostIp} . ${element}`)
    }
    if (portMappings.length > 0) hairpin.push(`${address} . ${address}`)
  }
  return { anyAddress, oneAddress, hairpin }
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `    elements = {\n      ${list.join(',\n      ')}\n    }\n`
}
