/**
 * Turns counters of processor time into a rate, which takes two readings. The first one of each subject is that it had
 * used nothing when it began. Readings that come closer together than the window get the rate of the last window, so
 * that a second reader does not leave the first one a rate over microseconds.
 */
export class CpuMeter {
  readonly #windowMs: number
  readonly #meters = new Map<string, Meter>()

  constructor(windowMs = 500) {
    this.#windowMs = windowMs
  }

  /** Nanoseconds of processor time per second. */
  rate(id: string, reading: CpuReading, beganAtNs: bigint): bigint {
    const known = this.#meters.get(id)
    const base = known?.last ?? { atNs: beganAtNs, usedNs: 0n }
    const elapsedNs = reading.atNs - base.atNs
    if (known && elapsedNs >= 0n && elapsedNs < BigInt(this.#windowMs) * 1_000_000n) return known.rate
    // A clock that was set back begins a new window.
    const rate = elapsedNs > 0n ? rateBetween(base, reading) : (known?.rate ?? 0n)
    this.#meters.set(id, { last: reading, rate })
    return rate
  }

  forget(id: string): void {
    this.#meters.delete(id)
  }
}

export interface CpuReading {
  atNs: bigint
  usedNs: bigint
}

interface Meter {
  last: CpuReading
  rate: bigint
}

function rateBetween(from: CpuReading, to: CpuReading): bigint {
  const usedNs = to.usedNs > from.usedNs ? to.usedNs - from.usedNs : 0n
  return (usedNs * 1_000_000_000n) / (to.atNs - from.atNs)
}
