import type { EndpointSlice, Service } from '../api/index.ts'
import { servicePorts } from './service-ports.ts'
import { type ElementsName, type ServiceTable, serviceTable } from './service-table.ts'

export interface RulesetOptions {
  /** Name of the nft table. */
  table: string
  /** `10.43.0.0/16` */
  serviceCidr: string
}

/** The whole table for these objects, as text for `nft -f`; replaces what is there in one transaction. */
export function rulesetFor(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  options: RulesetOptions,
): string {
  return fullRuleset(serviceTable(servicePorts(services, slices)), options)
}

/** Removes the table whether it is there or not. */
export function removalRuleset(table: string): string {
  return `table ip ${table}\ndelete table ip ${table}\n`
}

export function fullRuleset(state: ServiceTable, options: RulesetOptions): string {
  const { table } = options
  return `${removalRuleset(table)}${frame(options)}${changesBetween(undefined, state, table)}`
}

/** What stays the same whatever the Services are. */
function frame({ table, serviceCidr }: RulesetOptions): string {
  return `table ip ${table} {
  map cluster-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
  }
  map node-ports {
    type inet_proto . inet_service : verdict
  }
  set hairpin {
    type ipv4_addr . ipv4_addr
  }
  chain services {
    ip daddr . meta l4proto . th dport vmap @cluster-ips
    ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @node-ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    jump services
  }
  chain output {
    type nat hook output priority -100
    jump services
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    ct status dnat ip saddr . ip daddr @hairpin masquerade
    # Through a node port: the endpoint may be on another node, whose answer must come back through this one.
    ct status dnat meta l4proto { tcp, udp, sctp } ct original proto-dst 30000-32767 ct original ip daddr != ${serviceCidr} masquerade
  }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  # After the address translation: what still is addressed to a Service has nobody to answer it.
  chain refuse-prerouting {
    type filter hook prerouting priority filter
    ip daddr ${serviceCidr} goto refuse
  }
  chain refuse-output {
    type filter hook output priority filter
    ip daddr ${serviceCidr} goto refuse
  }
}
`
}

/**
 * The commands that lead from one state to the next, to be applied as one transaction; '' when they are equal. In this
 * order, because nft refuses a reference to what is not there yet and the removal of what is still referred to.
 */
export function changesBetween(before: ServiceTable | undefined, after: ServiceTable, table: string): string {
  const here = `ip ${table}`
  const lines: string[] = []
  for (const [name, declaration] of after.sets)
    if (!before?.sets.has(name)) lines.push(`add set ${here} ${name} { ${declaration} }`)
  const changed = [...after.chains].filter(([name, rules]) => !sameRules(before?.chains.get(name), rules))
  for (const [name] of changed) lines.push(`add chain ${here} ${name}`, `flush chain ${here} ${name}`)
  for (const [name, rules] of changed) lines.push(...rules.map((rule) => `add rule ${here} ${name} ${rule}`))
  for (const [name, wanted] of after.elements)
    lines.push(...elementChanges(here, name, before?.elements.get(name), wanted))
  const goneChains = [...(before?.chains.keys() ?? [])].filter((name) => !after.chains.has(name))
  lines.push(...goneChains.map((name) => `flush chain ${here} ${name}`))
  lines.push(...goneChains.map((name) => `delete chain ${here} ${name}`))
  const goneSets = [...(before?.sets.keys() ?? [])].filter((name) => !after.sets.has(name))
  lines.push(...goneSets.map((name) => `delete set ${here} ${name}`))
  return lines.map((line) => `${line}\n`).join('')
}

function elementChanges(
  here: string,
  name: ElementsName,
  before: ReadonlyMap<string, string> | undefined,
  after: ReadonlyMap<string, string>,
): string[] {
  const gone = [...(before ?? [])].filter(([key, value]) => after.get(key) !== value)
  const added = [...after].filter(([key, value]) => before?.get(key) !== value)
  return [
    ...elementCommand(`delete element ${here} ${name}`, gone),
    ...elementCommand(`add element ${here} ${name}`, added),
  ]
}

function elementCommand(command: string, elements: readonly (readonly [string, string])[]): string[] {
  if (elements.length === 0) return []
  return [
    `${command} { ${elements.map(([key, value]) => (value === '' ? key : `${key} : ${value}`)).join(', ')} }`,
  ]
}

function sameRules(one: readonly string[] | undefined, other: readonly string[]): boolean {
  if (one === other) return true
  return one !== undefined && one.length === other.length && one.every((rule, index) => rule === other[index])
}
