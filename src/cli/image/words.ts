import { KeelsonError } from '../../base/index.ts'
import type { Image } from '../../image/index.ts'

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** `21.3MB`: three digits and a decimal unit, as docker prints sizes. */
export function sizeWords(bytes: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : Number(value.toPrecision(3))}${units[power]}`
}

const spans: readonly [name: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]

/** `3d`, `5h`: how long ago, in its largest unit, as kubectl prints ages. */
export function ageWords(thenMs: number | undefined, nowMs: number): string {
  if (thenMs === undefined || !Number.isFinite(thenMs)) return '-'
  const ms = Math.max(0, nowMs - thenMs)
  const [name, unit] = spans.find(([, unit]) => ms >= unit) ?? ['s', 1000]
  return `${Math.floor(ms / unit)}${name}`
}

/** `24h`, `90m`, `1h30m`, `7d`. INVALID_ARGUMENT. */
export function readSpan(option: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(d|h|m|s)/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `--${option}: a time like 24h or 1h30m is expected, not "${text}"`,
    )
  const unitMs = (name: string | undefined) => spans.find(([one]) => one === name)?.[1] ?? 0
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs(unit), 0)
}

/** Twelve digits of the id: enough to tell images apart, and to name one. */
export function shortId({ id }: Pick<Image, 'id'>): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12)
}
