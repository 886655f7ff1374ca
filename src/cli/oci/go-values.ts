import { KeelsonError } from '../../base/index.ts'

/** Values as Go programs write them on a command line, since callers of runc do. INVALID_ARGUMENT names the option. */

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** `1m30s`, `500ms`, `0.5s` in milliseconds (time.ParseDuration). */
export function durationMs(text: string, option: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.replace(/^\+/, ''))
    throw invalid(option, text, 'a duration such as 5s, 500ms or 1m30s')
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (unitMs[unit] ?? 0), 0)
}

/** `512m`, `1.5g`, `64KiB` in bytes, each step 1024 (units.RAMInBytes); -1 for no limit. */
export function sizeBytes(text: string, option: string): number {
  if (text === '-1') return -1
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? []
  if (count === undefined) throw invalid(option, text, 'bytes, or a size such as 512m or 1.5g')
  return Math.trunc(Number(count) * 1024 ** ' kmgtp'.indexOf(unit.toLowerCase() || ' '))
}

export function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw invalid(option, text, 'a whole number')
}

function invalid(option: string, text: string, wanted: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `--${option}: ${JSON.stringify(text)} is not ${wanted}`, {
    hint: `give ${wanted}`,
  })
}
