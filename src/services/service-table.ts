import { createHash } from 'node:crypto'
import type { Endpoint, ServicePortEntry } from './service-ports.ts'

/**
 * The changing part of the Services' nftables table, as data, so that two states can be compared. A packet costs one
 * lookup in a verdict map and the rules of the one chain it leads to, however many Services there are:
 *
 *   cluster-ips   address . protocol . port → chain of the Service port
 *   node-ports    protocol . port           → the same chain
 *   hairpin       endpoint . endpoint: an endpoint that reaches itself must see another source, or it would answer
 *                 itself directly and not recognise the answer
 *
 * A Service port without endpoints is in no map; its packets stay addressed to the Service range and are refused there.
 */
export interface ServiceTable {
  /** Chain name → its rules. */
  chains: ReadonlyMap<string, readonly string[]>
  /** Dynamic sets (session affinity) → declaration; of one name always the same. */
  sets: ReadonlyMap<string, string>
  /** `map name` → key → value; '' in a set. */
  elements: ReadonlyMap<ElementsName, ReadonlyMap<string, string>>
}

export type ElementsName = 'cluster-ips' | 'node-ports' | 'hairpin'

export function serviceTable(entries: readonly ServicePortEntry[]): ServiceTable {
  const chains = new Map<string, readonly string[]>()
  const sets = new Map<string, string>()
  const clusterIps = new Map<string, string>()
  const nodePorts = new Map<string, string>()
  const hairpin = new Map<string, string>()
  for (const entry of entries) {
    if (entry.endpoints.length === 0) continue
    const rules = rulesOf(entry)
    for (const [name, chain] of rules.chains) chains.set(name, chain)
    for (const [name, declaration] of rules.sets) sets.set(name, declaration)
    clusterIps.set(rules.clusterIpKey, rules.verdict)
    if (entry.nodePort !== undefined) nodePorts.set(`${entry.protocol} . ${entry.nodePort}`, rules.verdict)
    for (const key of rules.hairpin) hairpin.set(key, '')
  }
  const elements = new Map<ElementsName, ReadonlyMap<string, string>>([
    ['cluster-ips', clusterIps],
    ['node-ports', nodePorts],
    ['hairpin', hairpin],
  ])
  return { chains, sets, elements }
}

interface PortRules {
  chains: Map<string, readonly string[]>
  sets: Map<string, string>
  clusterIpKey: string
  verdict: string
  hairpin: readonly string[]
}

const known = new WeakMap<ServicePortEntry, PortRules>()

function rulesOf(entry: ServicePortEntry): PortRules {
  const rules = known.get(entry) ?? makeRules(entry)
  known.set(entry, rules)
  return rules
}

function makeRules(entry: ServicePortEntry): PortRules {
  const chain = `service-${digest(`${entry.name}/${entry.protocol}`)}`
  const chains = new Map<string, readonly string[]>()
  const sets = new Map<string, string>()
  if (entry.affinitySeconds === undefined) chains.set(chain, [balance(entry)])
  else addAffinity(entry, chain, entry.affinitySeconds, chains, sets)
  return {
    chains,
    sets,
    clusterIpKey: `${entry.clusterIp} . ${entry.protocol} . ${entry.port}`,
    verdict: `goto ${chain}`,
    hairpin: entry.endpoints.map(({ address }) => `${address} . ${address}`),
  }
}

/** One rule: a random endpoint per connection. nft wants the protocol in the rule that sets a port. */
function balance({ name, protocol, endpoints }: ServicePortEntry): string {
  const target = ({ address, port }: Endpoint) => `${address} . ${port}`
  const [only, ...others] = endpoints
  if (only && others.length === 0)
    return `meta l4proto ${protocol} dnat to ${only.address}:${only.port} ${comment(name)}`
  const choices = endpoints.map((endpoint, index) => `${index} : ${target(endpoint)}`).join(', ')
  const random = `numgen random mod ${endpoints.length} map { ${choices} }`
  return `meta l4proto ${protocol} dnat ip addr . port to ${random} ${comment(name)}`
}

/**
 * A chain and a set of clients per endpoint. A client that is in a set goes to its endpoint, and each connection
 * renews its stay; the sets outlive changes of other endpoints.
 */
function addAffinity(
  entry: ServicePortEntry,
  chain: string,
  seconds: number,
  chains: Map<string, readonly string[]>,
  sets: Map<string, string>,
): void {
  const endpoints = entry.endpoints.map((endpoint) => {
    const id = digest(`${entry.name}/${entry.protocol}/${seconds}/${endpoint.address}/${endpoint.port}`)
    return { ...endpoint, chain: `endpoint-${id}`, clients: `clients-${id}` }
  })
  for (const { address, port, chain: own, clients } of endpoints) {
    sets.set(clients, `type ipv4_addr; size 65535; flags dynamic,timeout; timeout ${seconds}s;`)
    chains.set(own, [
      `update @${clients} { ip saddr }`,
      `meta l4proto ${entry.protocol} dnat to ${address}:${port} ${comment(entry.name)}`,
    ])
  }
  const choices = endpoints.map(({ chain: own }, index) => `${index} : goto ${own}`).join(', ')
  chains.set(chain, [
    ...endpoints.map(({ chain: own, clients }) => `ip saddr @${clients} goto ${own}`),
    `numgen random mod ${endpoints.length} vmap { ${choices} } ${comment(entry.name)}`,
  ])
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** For people who read the ruleset; at most 128 bytes. */
function comment(name: string): string {
  return `comment "${name.replace(/[^\w./:-]/g, '?').slice(0, 120)}"`
}
