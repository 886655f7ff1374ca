import { KeelsonError } from '../base/index.ts'

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
    const bits = parseQuantity(text)
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

const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const small: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3 }

/** A Kubernetes quantity, rounded up to a whole number. */
function parseQuantity(text: string): number | undefined {
  const [, digits = '', suffix = ''] = /^\+?(\d+(?:\.\d*)?|\.\d+)(.*)$/.exec(text.trim()) ?? []
  const exponent = /^[eE]([+-]?\d{1,2})$/.exec(suffix)?.[1]
  const factor = exponent === undefined ? factorOf(suffix) : 10 ** Number(exponent)
  return digits === '' || factor === undefined ? undefined : Math.ceil(Number(digits) * factor)
}

function factorOf(suffix: string): number | undefined {
  if (decimal.includes(suffix)) return 1000 ** decimal.indexOf(suffix)
  if (binary.includes(suffix)) return 1024 ** binary.indexOf(suffix)
  return small[suffix]
}
