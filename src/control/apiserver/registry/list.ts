import { hasCode } from '../../../base/index.ts'
import { StatusError } from '../status.ts'
import { badBody } from './decode.ts'
import { prefixOf, type Registry } from './registry.ts'
import { type Selection, selectedName } from './selection.ts'
import type { Served } from './served.ts'

export interface Page {
  items: readonly Served[]
  revision: number
  /** Token of the next page. */
  continue?: string
  remainingItemCount?: number
}

/** Where a chunked list goes on: after this key, in the state of this revision (-1: the newest). */
interface Continuation {
  rv: number
  after: string
}

/**
 * A page of a collection in key order. `continue` reads on in the state of the first page; when that state is no
 * longer kept the answer is 410 with a token that goes on in the newest one.
 */
export async function list(registry: Registry, selection: Selection, query: URLSearchParams): Promise<Page> {
  const limit = integer(query, 'limit') ?? 0
  const token = query.get('continue') || undefined
  const start = token === undefined ? undefined : readToken(token)
  const revision = start ? start.rv : await startRevision(registry, query)
  const after = start === undefined ? undefined : prefixOf(selection.kind, selection.namespace) + start.after
  try {
    return await collect(registry, selection, { limit, after, revision: revision < 0 ? undefined : revision })
  } catch (error) {
    if (!hasCode(error, 'EXPIRED')) throw error
    throw expired(start)
  }
}

async function collect(
  registry: Registry,
  selection: Selection,
  { limit, after, revision }: { limit: number; after: string | undefined; revision: number | undefined },
): Promise<Page> {
  const prefix = prefixOf(selection.kind, selection.namespace)
  const items: Served[] = []
  let from = after
  let at = revision
  for (;;) {
    const chunk = limit > 0 ? (selection.all ? limit : Math.max(limit, 500)) : undefined
    const result = await registry.store.list({ prefix, after: from, limit: chunk, revision: at })
    at = result.revision
    for (const [i, entry] of result.entries.entries()) {
      const served = selection.kind.cache.live(entry)
      from = entry.key
      if (!selection.matches(served)) continue
      items.push(served)
      const left = result.remaining + result.entries.length - 1 - i
      if (limit > 0 && items.length === limit && left > 0) {
        const token = writeToken({ rv: at, after: entry.key.slice(prefix.length) })
        return {
          items,
          revision: at,
          continue: token,
          ...(selection.all ? { remainingItemCount: left } : {}),
        }
      }
    }
    if (result.remaining === 0) return { items, revision: at }
  }
}

/** The revision to read at: exactly the one asked for, or the newest (-1), which is never older than asked. */
async function startRevision(registry: Registry, query: URLSearchParams): Promise<number> {
  const match = query.get('resourceVersionMatch') || undefined
  const asked = revisionOf(query)
  if (match !== undefined && asked === undefined) {
    throw badBody('resourceVersionMatch is forbidden unless resourceVersion is provided')
  }
  if (match === 'Exact' && asked === 0)
    throw badBody('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
  if (match !== undefined && match !== 'Exact' && match !== 'NotOlderThan') {
    throw badBody(
      `resourceVersionMatch: Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`,
    )
  }
  if (asked === undefined || asked === 0) return -1
  if (asked > registry.store.revision) throw tooLarge(asked, registry.store.revision)
  return match === 'Exact' ? asked : -1
}

/** `resourceVersion` of a query; undefined when absent, 400 when it is not a number. */
export function revisionOf(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') || undefined
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text))
    throw badBody(`resourceVersion: Invalid value: ${JSON.stringify(text)}: must be a number`)
  return Number(text)
}

export function tooLarge(asked: number, present: number): StatusError {
  return new StatusError('Timeout', `Too large resource version: ${asked}, current: ${present}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) || undefined
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text))
    throw badBody(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number`)
  return Number(text)
}

function writeToken(continuation: Continuation): string {
  return Buffer.from(JSON.stringify(continuation)).toString('base64url')
}

function readToken(token: string): Continuation {
  try {
    const value = JSON.parse(Buffer.from(token, 'base64url').toString()) as Partial<Continuation>
    const { rv, after } = value
    if (Number.isInteger(rv) && typeof after === 'string') return { rv: Number(rv), after }
  } catch {
    // not ours: told below
  }
  throw badBody('continue key is not valid')
}

function expired(start: Continuation | undefined): StatusError {
  if (!start) return new StatusError('Expired', 'The resourceVersion for the provided list is too old.')
  const error = new StatusError(
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
      'without the continue parameter, or use the continue token in this response to retrieve the remainder of ' +
      'the results. Continuing with the provided token results in an inconsistent list.',
  )
  error.metadata = { continue: writeToken({ rv: -1, after: start.after }) }
  return error
}

/** A list for one name reads one key. */
export async function listByName(
  registry: Registry,
  selection: Selection,
  query: URLSearchParams,
): Promise<Page | undefined> {
  const name = selectedName(query)
  const { kind, namespace } = selection
  if (name === undefined || (kind.type.namespaced && namespace === undefined)) return undefined
  if (query.get('resourceVersionMatch') === 'Exact') return undefined
  await startRevision(registry, query)
  const { entry, revision } = await registry.store.get(`${prefixOf(kind, namespace)}${name}`)
  const served = entry && kind.cache.live(entry)
  return { items: served && selection.matches(served) ? [served] : [], revision }
}
