import { addressAt, type Cidr, indexInCidr, KeelsonError, parseCidr } from '../base/index.ts'
import { parseRanges } from './pod-ranges.ts'

/**
 * The addresses of a node's pod range, in memory. The first usable one is the node's own (`gateway`); network and
 * broadcast address are never given out. Addresses go round: a released one comes back as late as possible, so that
 * connections and caches of its last owner have ended. Of a range that is larger than any node, as those of IPv6 are,
 * the first sixteen million are used.
 */
export class AddressPool {
  readonly gateway: string
  readonly #cidr: Cidr
  /** Places in the range that pods may have: `firstPlace` up to and without this. */
  readonly #end: number
  readonly #held = new Set<string>()
  #last: number

  /** INVALID_ARGUMENT for a range that has no room for a pod. */
  constructor(text: string) {
    this.#cidr = parseCidr(text)
    if (this.#cidr.size < 4n)
      throw new KeelsonError('INVALID_ARGUMENT', `"${text}" has no room for pods`, {
        hint: 'give a range of at least four addresses, such as 10.42.0.0/24',
      })
    this.gateway = addressAt(this.#cidr, gatewayPlace)
    this.#end = Number(this.#cidr.size < placesMax ? this.#cidr.size : placesMax) - 1
    this.#last = this.#end - 1
  }

  /** The next free address. RESOURCE_EXHAUSTED when none is. */
  take(): string {
    const size = this.#end - firstPlace
    for (let step = 1; step <= size; step++) {
      const place = firstPlace + ((this.#last - firstPlace + step) % size)
      const address = addressAt(this.#cidr, place)
      if (this.#held.has(address)) continue
      this.#held.add(address)
      this.#last = place
      return address
    }
    throw new KeelsonError('RESOURCE_EXHAUSTED', `all ${size} pod addresses of this node are in use`, {
      hint: 'remove pods, or give the node a larger pod range',
    })
  }

  /** Marks an address of a lease that was read back; it may lie outside a range that was changed since. */
  claim(address: string): void {
    this.#held.add(address)
  }

  release(address: string): void {
    this.#held.delete(address)
  }

  /** Continues behind this address, where the last life of the daemon stopped. */
  continueAfter(address: string): void {
    const place = Number(indexInCidr(this.#cidr, address) ?? -1n)
    if (place >= firstPlace && place < this.#end) this.#last = place
  }
}

const gatewayPlace = 1
const firstPlace = 2
const placesMax = 1n << 24n

/** The node's own address in its pod range: the first. Pods can answer to it; for the service proxy's `hostAddress`. */
export function nodeAddress(podCidr: string): string {
  return new AddressPool(parseRanges(podCidr).four).gateway
}
