import { isIP, isIPv4 } from 'node:net'
import { KeelsonError, parseCidr } from '../../base/index.ts'
import { isObject, type JsonObject, Members } from './json.ts'
import { type CniVersion, cniVersions, hasSince, isCniVersion } from './version.ts'

/**
 * What ADD answers, in the form of whichever version the plugin was called with. It is checked and then kept as it
 * came, so that members we know nothing of reach the plugins that do. Between versions (specification, section 5):
 *
 *     0.3.0, 0.3.1, 0.4.0   an address bears its "version", "4" or "6"
 *     1.0.0                 it does not
 *     1.1.0                 interfaces have mtu, socketPath, pciID; routes mtu, advmss, priority, table, scope
 */
export interface CniResult extends JsonObject {
  cniVersion: CniVersion
}

/** What of a result a runtime needs. */
export interface ResultFacts {
  /** Of the pod, without prefix length, IPv4 first, otherwise in the plugins' order. */
  addresses: string[]
  dns: ResultDns
}

export interface ResultDns {
  nameservers: string[]
  searches: string[]
  options: string[]
}

/** INVALID_ARGUMENT tells what is wrong with it. An answer that names no version is in the one that was asked for. */
export function parseResult(answer: unknown, asked: CniVersion): CniResult {
  const members = new Members(answer, 'the result')
  const cniVersion = members.text('cniVersion') ?? asked
  if (!isCniVersion(cniVersion))
    throw members.wrong(`"cniVersion" is "${cniVersion}", not one of ${cniVersions.join(', ')}`)
  const result = { ...(answer as JsonObject), cniVersion }
  checkInterfaces(members)
  checkAddresses(members)
  checkRoutes(members)
  dnsOf(result)
  return result
}

export function factsOf(result: CniResult): ResultFacts {
  const isOfHost = (address: JsonObject) => {
    const index = address['interface']
    if (typeof index !== 'number') return false
    const owner = listOf(result, 'interfaces')[index]
    return owner !== undefined && (owner['sandbox'] ?? '') === ''
  }
  const addresses = listOf(result, 'ips')
    .filter((address) => !isOfHost(address))
    .map((address) => String(address['address']).split('/')[0] ?? '')
  const [four, six] = [addresses.filter(isIPv4), addresses.filter((address) => !isIPv4(address))]
  return { addresses: [...new Set([...four, ...six])], dns: dnsOf(result) }
}

/** The same result in the form of another version, for plugins that are called with that one. */
export function convertResult(result: CniResult, cniVersion: CniVersion): CniResult {
  if (result.cniVersion === cniVersion) return result
  const bearsVersion = !hasSince(cniVersion, '1.0.0')
  const isNewest = hasSince(cniVersion, '1.1.0')
  const without = (name: string, members: readonly string[]) =>
    name in result && !isNewest ? { [name]: listOf(result, name).map((one) => omit(one, members)) } : {}
  return {
    ...result,
    cniVersion,
    ...('ips' in result ? { ips: listOf(result, 'ips').map((ip) => convertAddress(ip, bearsVersion)) } : {}),
    ...without('interfaces', ['mtu', 'socketPath', 'pciID']),
    ...without('routes', ['mtu', 'advmss', 'priority', 'table', 'scope']),
  }
}

function convertAddress(address: JsonObject, bearsVersion: boolean): JsonObject {
  if (!bearsVersion) return omit(address, ['version'])
  return { ...address, version: String(address['address']).includes(':') ? '6' : '4' }
}

function checkInterfaces(members: Members): void {
  members.list('interfaces').forEach((entry, index) => {
    const one = new Members(entry, `the result: interfaces[${index}]`)
    if ((one.text('name') ?? '') === '') throw one.wrong('"name" is missing')
    for (const name of ['mac', 'sandbox', 'socketPath', 'pciID']) one.text(name)
    one.number('mtu')
  })
}

function checkAddresses(members: Members): void {
  const interfaces = members.list('interfaces').length
  members.list('ips').forEach((entry, index) => {
    const one = new Members(entry, `the result: ips[${index}]`)
    const address = one.text('address') ?? ''
    if (!isCidr(address)) throw one.wrong(`"address" is "${address}", not an address with its prefix length`)
    const gateway = one.text('gateway') ?? ''
    if (gateway !== '' && isIP(gateway) === 0) throw one.wrong(`"gateway" is "${gateway}", not an address`)
    const owner = one.number('interface')
    if (owner !== undefined && !(Number.isInteger(owner) && owner >= 0 && owner < interfaces))
      throw one.wrong(`there is no interface ${owner}`)
  })
}

function checkRoutes(members: Members): void {
  members.list('routes').forEach((entry, index) => {
    const one = new Members(entry, `the result: routes[${index}]`)
    const destination = one.text('dst') ?? ''
    if (!isCidr(destination)) throw one.wrong(`"dst" is "${destination}", not an address block`)
    const gateway = one.text('gw') ?? ''
    if (gateway !== '' && isIP(gateway) === 0) throw one.wrong(`"gw" is "${gateway}", not an address`)
  })
}

function dnsOf(result: JsonObject): ResultDns {
  const dns = new Members(result['dns'] ?? {}, 'the result: dns')
  const nameservers = dns.texts('nameservers')
  for (const server of nameservers)
    if (isIP(server) === 0) throw dns.wrong(`the name server "${server}" is not an address`)
  const domain = dns.text('domain') ?? ''
  const searches = [...new Set([...(domain === '' ? [] : [domain]), ...dns.texts('search')])]
  const options = dns.texts('options')
  // They become lines of a resolv.conf.
  for (const word of [...searches, ...options])
    if (!/^[\x21-\x7e]+$/.test(word)) throw dns.wrong(`${JSON.stringify(word)} is not one word`)
  return { nameservers, searches, options }
}

function listOf(result: JsonObject, name: string): JsonObject[] {
  const list = result[name] ?? []
  return Array.isArray(list) ? list.filter(isObject) : []
}

function omit(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

function isCidr(text: string): boolean {
  try {
    parseCidr(text)
    return true
  } catch (error) {
    if (error instanceof KeelsonError) return false
    throw error
  }
}
