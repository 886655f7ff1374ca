import { KeelsonError } from '../../base/index.ts'
import type { LogOptions } from './log-reader.ts'

export interface LogQuery extends LogOptions {
  /** The run before the present one. */
  previous: boolean
}

/** Reads PodLogOptions from a query string; INVALID_ARGUMENT names the parameter that is wrong. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const sinceSeconds = count(query, 'sinceSeconds')
  const stream = query.get('stream') ?? ''
  return {
    previous: flag(query, 'previous'),
    follow: flag(query, 'follow'),
    timestamps: flag(query, 'timestamps'),
    tailLines: count(query, 'tailLines'),
    limitBytes: count(query, 'limitBytes'),
    sinceMs: sinceSeconds === undefined ? sinceTime(query) : nowMs - sinceSeconds * 1000,
    stream: stream === 'Stdout' ? 'stdout' : stream === 'Stderr' ? 'stderr' : undefined,
  }
}

function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text === 'true' || text === '1' || text === ''
}

function count(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d+$/.test(text)) throw new KeelsonError('INVALID_ARGUMENT', `${name} "${text}" is not a number`)
  return Number(text)
}

function sinceTime(query: URLSearchParams): number | undefined {
  const text = query.get('sinceTime')
  if (text === null) return undefined
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new KeelsonError('INVALID_ARGUMENT', `sinceTime "${text}" is not RFC 3339`)
  return ms
}
