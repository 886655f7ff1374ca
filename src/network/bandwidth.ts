import { KeelsonError, wholeQuantity } from '../base/index.ts'

/** Limits of a pod's network in bits per second; absent: none. "Ingress" is what reaches the pod. */
export interface Bandwidth {
  ingressBits?: number
  egressBits?: number
}

const annotation = {
  ingressBits: 'kubernetes.io/ingress-bandwidth',
  egressBits: 'kubernetes.io/egress-bandwidth',
} as const
/** The range that Kubernetes allows. */
const [bitsMin, bitsMax] = [1e3, 1e15]

/** Reads a pod's annotations. INVALID_ARGUMENT for what is no quantity, or beyond 1k and 1P. */
export function podBandwidth(annotations: Readonly<Record<string, string>>): Bandwidth {
  const bandwidth: Bandwidth = {}
  for (const direction of ['ingressBits', 'egressBits'] as const) {
    const name = annotation[direction]
    const text = annotations[name]
    if (text === undefined) continue
    const bits = wholeQuantity(text)
    if (bits === undefined || bits < bitsMin || bits > bitsMax)
      throw new KeelsonError(
        'INVALID_ARGUMENT',
        `annotation ${name}: "${text}" is not from 1k to 1P bits per second`,
        {
          hint: 'write a quantity such as 10M',
        },
      )
    bandwidth[direction] = bits
  }
  return bandwidth
}

/**
 * How much may pass at full speed after a pause, in bits: what the limit lets through in a tenth of a second, and at
 * least one packet as large as the kernel hands to a link (64 KiB).
 */
export function burstBits(bitsPerSecond: number): number {
  return Math.min(Math.max(Math.ceil(bitsPerSecond / 10), 8 * 65_536), 2 ** 31 - 1)
}
