import { isIPv4, isIPv6 } from 'node:net'
import { KeelsonError } from '../base/index.ts'

/** The bytes of an address: 4 for IPv4, 16 for IPv6. INVALID_ARGUMENT for anything else, also with a zone. */
export function parseAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (isIPv6(text) && !text.includes('%')) return parseIPv6(text)
  throw new KeelsonError('INVALID_ARGUMENT', `"${text}" is not an IP address`)
}

/** The usual text form; IPv6 shortened as RFC 5952 says. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new KeelsonError('DATA_LOSS', `an IP address of ${bytes.length} bytes`)
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0),
  )
  const [start, length] = longestZeroRun(groups)
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

export interface Cidr {
  /** First address, host bits zero. */
  address: string
  prefixLength: number
  family: 4 | 6
}

/** `10.42.0.0/16`. INVALID_ARGUMENT when malformed or when bits outside the prefix are set. */
export function parseCidr(text: string): Cidr {
  const [address = '', prefix = ''] = text.split('/')
  const bytes = parseAddress(address)
  const prefixLength = Number(prefix)
  const valid = /^\d{1,3}$/.test(prefix) && prefixLength <= bytes.length * 8 && text.split('/').length === 2
  if (!valid)
    throw new KeelsonError('INVALID_ARGUMENT', `"${text}" is not an address range like 10.42.0.0/16`)
  const rest = bytes.some((byte, index) => (byte & (0xff >> clamp(prefixLength - index * 8))) !== 0)
  if (rest)
    throw new KeelsonError('INVALID_ARGUMENT', `"${text}" has bits set outside its prefix`, {
      hint: 'write the first address of the range',
    })
  return { address: formatAddress(bytes), prefixLength, family: bytes.length === 4 ? 4 : 6 }
}

/** How many of a byte's bits belong to the prefix, as a shift: 0 to 8. */
function clamp(bits: number): number {
  return Math.max(0, Math.min(8, bits))
}

function parseIPv6(text: string): Buffer {
  const dotted = text.match(/^(.*:)(\d+\.\d+\.\d+\.\d+)$/)
  if (dotted) {
    const [, head = '', tail = ''] = dotted
    const bytes = parseAddress(tail)
    return parseIPv6(`${head}${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`)
  }
  const [left = '', right] = text.split('::')
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [front, back] = [groups(left), groups(right ?? '')]
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start > best[1]) best = [start, end - start]
  }
  return best
}
