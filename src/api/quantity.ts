/**
 * Resource quantities: `500m`, `1.5Gi`, `2e3`. A number of billionths as BigInt, and the family of suffixes it was
 * written in, which decides how it is written again. More precise numbers are rounded away from zero, larger ones
 * capped at 2^63 - 1, as the API does (apimachinery resource.Quantity).
 */
import { KeelsonError } from '../base/index.ts'

export interface ParsedQuantity {
  nanos: bigint
  format: 'decimal' | 'binary' | 'exponent'
}

const nanosPerOne = 1_000_000_000n
const nanosMax = (2n ** 63n - 1n) * nanosPerOne
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const shape = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE])|([KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/

/** INVALID_ARGUMENT for anything that is not a quantity. A plain number, as JSON may carry it, is one. */
export function parseQuantity(value: string | number): ParsedQuantity {
  const match = shape.exec(String(value))
  const [, sign, whole = '', fraction = '', decimal, binary, exponent] = match ?? []
  if (!match || (whole === '' && fraction === ''))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(value)} is not a quantity like 500m or 1.5Gi`,
    )
  const tens = exponent === undefined ? (decimalSuffixes.indexOf(decimal ?? '') - 3) * 3 : Number(exponent)
  const factor = 2n ** BigInt(10 * binarySuffixes.indexOf(binary ?? ''))
  const digits = BigInt(whole + fraction) * factor
  const magnitude = capped(scale(digits, tens + 9 - fraction.length))
  const format = binary ? 'binary' : exponent === undefined ? 'decimal' : 'exponent'
  return { nanos: sign === '-' ? -magnitude : magnitude, format }
}

/** `digits` × 10^`tens`, rounded up. */
function scale(digits: bigint, tens: number): bigint {
  if (tens >= 0) return digits * 10n ** BigInt(tens)
  const divisor = 10n ** BigInt(-tens)
  return (digits + divisor - 1n) / divisor
}

function capped(nanos: bigint): bigint {
  return nanos > nanosMax ? nanosMax : nanos
}

/** The canonical form: no fraction, the largest suffix that allows it; binary only for whole numbers from 1024 up. */
export function formatQuantity({ nanos, format }: ParsedQuantity): string {
  if (nanos === 0n) return '0'
  const sign = nanos < 0n ? '-' : ''
  const magnitude = nanos < 0n ? -nanos : nanos
  if (format === 'binary' && magnitude >= 1024n * nanosPerOne && magnitude % nanosPerOne === 0n)
    return sign + withSuffix(magnitude / nanosPerOne, 1024n, binarySuffixes)
  if (format !== 'exponent') return sign + withSuffix(magnitude, 1000n, decimalSuffixes)
  const { mantissa, steps } = reduce(magnitude, 1000n, 9)
  return steps === 3 ? `${sign}${mantissa}` : `${sign}${mantissa}e${steps * 3 - 9}`
}

function withSuffix(value: bigint, base: bigint, suffixes: readonly string[]): string {
  const { mantissa, steps } = reduce(value, base, suffixes.length - 1)
  return `${mantissa}${suffixes[steps] ?? ''}`
}

function reduce(value: bigint, base: bigint, stepsMax: number): { mantissa: bigint; steps: number } {
  let mantissa = value
  let steps = 0
  while (steps < stepsMax && mantissa % base === 0n) {
    mantissa /= base
    steps++
  }
  return { mantissa, steps }
}

export function canonicalQuantity(value: string | number): string {
  return formatQuantity(parseQuantity(value))
}

/** Negative, zero or positive, like a sort function. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a).nanos - parseQuantity(b).nanos
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The sum in canonical form; its suffixes are those of the first that is not zero. */
export function addQuantities(...values: readonly (string | number)[]): string {
  const parsed = values.map(parseQuantity)
  const nanos = parsed.reduce((sum, one) => sum + one.nanos, 0n)
  const format = parsed.find((one) => one.nanos !== 0n)?.format ?? 'decimal'
  return formatQuantity({ nanos, format })
}

/** In whole units, rounded up: bytes of `1.5Gi`, pods of `110`. */
export function wholeValue(value: string | number): number {
  return Number(ceilDivide(parseQuantity(value).nanos, nanosPerOne))
}

/** In thousandths, rounded up: milli-CPUs of `0.5` or `500m`. */
export function milliValue(value: string | number): number {
  return Number(ceilDivide(parseQuantity(value).nanos, 1_000_000n))
}

function ceilDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value > 0n && value % divisor !== 0n ? quotient + 1n : quotient
}
