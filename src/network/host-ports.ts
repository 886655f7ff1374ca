import { isIPv4, isIPv6 } from 'node:net'
import { addressToInteger, KeelsonError } from '../base/index.ts'
import type { PortMapping } from './pod-network.ts'

export type Family = 4 | 6

/**
 * The addresses of the host on which a port is open, by family: as with a socket, none named or `::` is all of both,
 * `0.0.0.0` all of IPv4.
 */
export function hostAddressOf(mapping: PortMapping, family: Family): string | 'any' | undefined {
  const { hostIp = '' } = mapping
  if (hostIp === '' || hostIp === '::') return 'any'
  if (hostIp === '0.0.0.0') return family === 4 ? 'any' : undefined
  return (family === 4 ? isIPv4(hostIp) : isIPv6(hostIp)) ? hostIp : undefined
}

/** INVALID_ARGUMENT for an address that the host cannot have or pods of this node could not be reached by. */
export function checkHostIp({ hostIp = '' }: PortMapping, hasSix: boolean, id: string): void {
  if (hostIp === '' || hostIp === '::' || isIPv4(hostIp)) return
  if (!isIPv6(hostIp) || hostIp.includes('%'))
    throw new KeelsonError('INVALID_ARGUMENT', `host address "${hostIp}" is not an IP address`, { id })
  if (!hasSix)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `host address "${hostIp}": pods of this node have no IPv6 address`,
      {
        id,
        hint: 'give the node an IPv6 range beside the IPv4 one',
      },
    )
}

/** Whether two mappings want the same port of the same address. */
export function overlaps(one: PortMapping, other: PortMapping): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false
  return ([4, 6] as const).some((family) => {
    const [mine, others] = [hostAddressOf(one, family), hostAddressOf(other, family)]
    if (mine === undefined || others === undefined) return false
    return mine === 'any' || others === 'any' || addressToInteger(mine) === addressToInteger(others)
  })
}
