import { KeelsonError, parseCidr } from '../base/index.ts'

/** Ranges of pod addresses, as one string: `10.42.0.0/16`, or with both families `10.42.0.0/16,fd00:42::/64`. */
export interface PodRanges {
  four: string
  six?: string
}

/** INVALID_ARGUMENT unless it is one IPv4 range, or that and one IPv6 range in either order. */
export function parseRanges(text: string): PodRanges {
  const blocks = text.split(',').map((block) => block.trim())
  const [four, ...moreFour] = blocks.filter((block) => parseCidr(block).family === 4)
  const [six, ...moreSix] = blocks.filter((block) => parseCidr(block).family === 6)
  if (four !== undefined && moreFour.length + moreSix.length === 0)
    return { four, ...(six === undefined ? {} : { six }) }
  throw new KeelsonError('INVALID_ARGUMENT', `"${text}" is not one IPv4 range and at most one IPv6 range`, {
    hint: 'write 10.42.0.0/16 or 10.42.0.0/16,fd00:42::/64',
  })
}
