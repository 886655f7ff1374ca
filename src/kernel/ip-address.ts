import { isIPv4, isIPv6 } from 'node:net'
import { addressToInteger, integerToAddress, KeelsonError } from '../base/index.ts'

/** The bytes of an address: 4 for IPv4, 16 for IPv6. INVALID_ARGUMENT for anything else, also with a zone. */
export function parseAddress(text: string): Buffer {
  const length = isIPv4(text) ? 4 : isIPv6(text) && !text.includes('%') ? 16 : 0
  if (length === 0) throw new KeelsonError('INVALID_ARGUMENT', `"${text}" is not an IP address`)
  return Buffer.from(
    addressToInteger(text)
      .toString(16)
      .padStart(2 * length, '0'),
    'hex',
  )
}

/** The usual text form; IPv6 shortened as RFC 5952 says. DATA_LOSS when there are not 4 or 16 bytes. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new KeelsonError('DATA_LOSS', `an IP address of ${bytes.length} bytes`)
  return integerToAddress(BigInt(`0x${Buffer.from(bytes).toString('hex')}`), bytes.length === 4 ? 4 : 6)
}
