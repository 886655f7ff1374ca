import { isIPv4, isIPv6 } from 'node:net'
import { KeelsonError } from './errors.ts'

/** A block of IP addresses, IPv4 or IPv6. Addresses are counted from the network address (index 0). */
export interface Cidr {
  family: 4 | 6
  /** The network address as an integer. */
  base: bigint
  prefix: number
  /** How many addresses the block holds, network and broadcast included. */
  size: bigint
}

/** Reads `10.43.0.0/16` or `fd00::/108`; INVALID_ARGUMENT for anything else. Host bits are dropped. */
export function parseCidr(text: string): Cidr {
  const [address = '', length = ''] = text.split('/')
  const family = isIPv4(address) ? 4 : isIPv6(address) ? 6 : undefined
  const bits = family === 4 ? 32 : 128
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (!family || !(prefix <= bits)) {
    throw new KeelsonError('INVALID_ARGUMENT', `not an address block: ${text}`, {
      hint: 'write 10.43.0.0/16',
    })
  }
  const size = 1n << BigInt(bits - prefix)
  return { family, base: addressToInteger(address) & ~(size - 1n), prefix, size }
}

/** The address at `index` of the block, in its canonical text form. */
export function addressAt(cidr: Cidr, index: bigint | number): string {
  return integerToAddress(cidr.base + BigInt(index), cidr.family)
}

/** The place of an address in the block; undefined when it lies outside or is no address. */
export function indexInCidr(cidr: Cidr, address: string): bigint | undefined {
  if (cidr.family === 4 ? !isIPv4(address) : !isIPv6(address)) return undefined
  const index = addressToInteger(address) - cidr.base
  return index >= 0n && index < cidr.size ? index : undefined
}

export function addressToInteger(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  return groupsOf(address).reduce((sum, group) => (sum << 16n) | BigInt(group), 0n)
}

export function integerToAddress(value: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 0xffn)).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  return canonicalIPv6(groups.join(':'))
}

/** The eight 16-bit groups of an IPv6 address that `isIPv6` accepted. */
function groupsOf(address: string): number[] {
  const [bare = ''] = address.split('%')
  const withoutDots = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((n) => n.toString(16)).join(':'),
  )
  const [head = '', tail] = withoutDots.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(gap).fill('0'), ...right].map((group) => Number.parseInt(group, 16))
}

/** RFC 5952: the URL parser shortens an IPv6 host exactly so. */
function canonicalIPv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
