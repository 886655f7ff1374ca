import type { KubernetesObject } from '../../../api/index.ts'

export type Cell = string | number

/** One column of a kind's table. */
export interface Column {
  name: string
  /** JSON type of the cells; default string. */
  type?: 'string' | 'integer'
  format?: 'name'
  /** Shown only with `-o wide`. */
  wide?: boolean
  cell(object: KubernetesObject, nowMs: number): Cell
}

/** Columns of one kind, typed by its objects. The table is asked with objects of that kind only, hence the cast. */
export function columns<T extends KubernetesObject>(
  ...list: (Omit<Column, 'cell'> & { cell(object: T, nowMs: number): Cell })[]
): readonly Column[] {
  return list as unknown as readonly Column[]
}

export const name = {
  name: 'Name',
  format: 'name',
  cell: ({ metadata }: KubernetesObject) => metadata.name ?? '',
} as const

export const age = {
  name: 'Age',
  cell: ({ metadata }: KubernetesObject, nowMs: number) => since(metadata.creationTimestamp, nowMs),
} as const

export const none = '<none>'
export const unknown = '<unknown>'

/** Time since an RFC 3339 moment in kubectl's short form. */
export function since(moment: string | undefined, nowMs: number): string {
  if (moment === undefined) return unknown
  return humanDuration(nowMs - Date.parse(moment))
}

/** 7s, 2m5s, 12m, 3h20m, 30h, 4d5h, 12d, 2y30d: never more than two units, fewer as it grows. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 120) return `${Math.max(seconds, 0)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return two(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}

/** `a=b,c=d`, or `<none>`. */
export function joined(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? none : pairs.join(',')
}
