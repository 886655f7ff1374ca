import { KeelsonError } from '../base/index.ts'
import { formatAddress, parseAddress, parseCidr } from '../kernel/index.ts'

/**
 * The addresses of a node's pod range, in memory. The first usable one is the node's own (`gateway`); network and
 * broadcast address are never given out. Addresses go round: a released one comes back as late as possible, so that
 * connections and caches of its last owner have ended.
 */
export class AddressPool {
  readonly gateway: string
  readonly #first: number
  readonly #last: number
  readonly #held = new Set<number>()
  #cursor: number

  /** INVALID_ARGUMENT for a range that is not IPv4 or has no room for a pod. */
  constructor(cidr: string) {
    const { address, prefixLength, family } = parseCidr(cidr)
    if (family !== 4 || prefixLength > 30)
      throw new KeelsonError('INVALID_ARGUMENT', `"${cidr}" has no room for pods`, {
        hint: 'give an IPv4 range with a prefix of at most 30, such as 10.42.0.0/24',
      })
    const start = toNumber(address)
    this.gateway = toText(start + 1)
    this.#first = start + 2
    this.#last = start + 2 ** (32 - prefixLength) - 2
    this.#cursor = this.#last
  }

  /** The next free address. RESOURCE_EXHAUSTED when none is. */
  take(): string {
    const size = this.#last - this.#first + 1
    for (let step = 1; step <= size; step++) {
      const candidate = this.#first + ((this.#cursor - this.#first + step) % size)
      if (this.#held.has(candidate)) continue
      this.#held.add(candidate)
      this.#cursor = candidate
      return toText(candidate)
    }
    throw new KeelsonError('RESOURCE_EXHAUSTED', `all ${size} pod addresses of this node are in use`, {
      hint: 'remove pods, or give the node a larger pod range',
    })
  }

  /** Marks an address of a lease that was read back; one outside the range (it was changed since) needs no mark. */
  claim(address: string): void {
    this.#held.add(toNumber(address))
  }

  release(address: string): void {
    this.#held.delete(toNumber(address))
  }

  /** Continues behind this address, where the last life of the daemon stopped. */
  continueAfter(address: string): void {
    const value = toNumber(address)
    if (value >= this.#first && value <= this.#last) this.#cursor = value
  }
}

/** The node's own address in its pod range: the first. Pods can answer to it; for the service proxy's `hostAddress`. */
export function nodeAddress(podCidr: string): string {
  return new AddressPool(podCidr).gateway
}

function toNumber(address: string): number {
  return parseAddress(address).readUInt32BE(0)
}

function toText(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return formatAddress(bytes)
}
