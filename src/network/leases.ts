import { KeelsonError } from '../base/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { PortMapping } from './pod-network.ts'

/** What a sandbox holds of the network. Enough to take everything back when nothing else is known any more. */
export interface Lease {
  version: 1
  sandboxId: string
  address: string
  /** Of a node that has an IPv6 range as well. */
  address6?: string
  /** Name of the host's end of the veth. */
  link: string
  portMappings: readonly PortMapping[]
  podNamespace: string
  podName: string
  podUid: string
}

const leaseStart = 'network/lease/'
const leaseEnd = 'network/lease0' // '0' follows '/' in ASCII
const cursorKeys = { 4: 'network/last-address', 6: 'network/last-address6' } as const
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Whether an earlier process left pods in the built-in network. */
export function hasLeases(ledger: Ledger): boolean {
  for (const _ of ledger.range({ start: leaseStart, end: leaseEnd })) return true
  return false
}

/** The leases of this node: read once, then in memory; every change is recorded, early, before it is answered. */
export class Leases {
  readonly #ledger: Ledger
  readonly #leases = new Map<string, Lease>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    for (const [key, value] of ledger.range({ start: leaseStart, end: leaseEnd })) {
      const lease = decodeLease(key, value)
      this.#leases.set(lease.sandboxId, lease)
    }
  }

  get(sandboxId: string): Lease | undefined {
    return this.#leases.get(sandboxId)
  }

  all(): Lease[] {
    return [...this.#leases.values()]
  }

  /** The address that was given out last, over restarts. */
  lastAddress(family: 4 | 6): string | undefined {
    const value = this.#ledger.get(cursorKeys[family])
    return value && decoder.decode(value)
  }

  async put(lease: Lease): Promise<void> {
    this.#leases.set(lease.sandboxId, lease)
    const operations = [
      { put: leaseStart + lease.sandboxId, value: encoder.encode(JSON.stringify(lease)) },
      { put: cursorKeys[4], value: encoder.encode(lease.address) },
      ...(lease.address6 === undefined
        ? []
        : [{ put: cursorKeys[6], value: encoder.encode(lease.address6) }]),
    ]
    await this.#ledger.commit(operations, { early: true })
  }

  async remove(sandboxId: string): Promise<void> {
    await this.#ledger.commit([{ remove: leaseStart + sandboxId }], { early: true })
    this.#leases.delete(sandboxId)
  }
}

function decodeLease(key: string, value: Uint8Array): Lease {
  const lease = JSON.parse(decoder.decode(value)) as Lease
  if (lease.version === 1) return lease
  throw new KeelsonError('DATA_LOSS', `a lease of version ${String(lease.version)}`, {
    path: key,
    hint: 'it was written by a newer keelson; start that version',
  })
}
