import type { KubernetesObject } from '../../../api/index.ts'
import type { Comparison, Entry, Write } from '../../store/index.ts'
import { invalid, type StatusError } from '../status.ts'
import type { Claim } from '../strategies/strategy.ts'
import { type Kind, keyOf, type Registry, type Target } from './registry.ts'
import { encode, type Served, serve } from './served.ts'

/** What stands in the way of a commit: the object itself changed, or something it claims is taken. */
export type Refusal = { object: true } | { claim: Claim } | { other: true }

export interface Change {
  target: Target
  /** The new version in its stored form; undefined removes. */
  object: KubernetesObject | undefined
  before: Entry | undefined
  /** Further conditions, such as a namespace that must still be as it was read. */
  guards?: readonly Comparison[]
  dryRun: boolean
}

const claimPrefix = '/claims/'

/**
 * Writes one object in one transaction with everything that must be true at that moment: the version it replaces,
 * the guards, and one key for each thing of which the cluster has one (addresses, ports). Nothing is allocated that
 * no object holds, so there is nothing to repair after a crash.
 */
export async function commit(registry: Registry, change: Change): Promise<Served | Refusal> {
  const { target, object: stored, before, dryRun } = change
  const { kind } = target
  const claims = stored ? (kind.strategy.claims?.(stored) ?? []) : []
  const held = before ? claimsOf(kind, before) : []
  const added = claims.filter(({ id }) => !held.some((one) => one.id === id))
  const dropped = held.filter(({ id }) => !claims.some((one) => one.id === id))
  if (dryRun) return rehearse(registry, change, added)
  const key = keyOf(target)
  const comparisons: Comparison[] = [
    { key, modRevision: before?.modRevision ?? 0 },
    ...added.map(({ id }) => ({ key: claimPrefix + id, modRevision: 0 })),
    ...(change.guards ?? []),
  ]
  const lease =
    kind.strategy.lifetimeMs === undefined ? undefined : await registry.leases.lease(kind.strategy.lifetimeMs)
  const write: Write = stored ? { put: key, value: encode(kind.stored, stored), lease } : { remove: key }
  const result = await registry.store.transact({
    when: comparisons,
    writes: [
      write,
      ...added.map(({ id }): Write => ({ put: claimPrefix + id, value: Buffer.from(key) })),
      ...dropped.map(({ id }): Write => ({ remove: claimPrefix + id })),
    ],
  })
  if (!result.succeeded) return refusalOf(comparisons, result.current, added)
  const [entry] = result.entries
  if (stored && entry) return kind.cache.live(entry)
  if (before) return kind.cache.removed(before, result.revision)
  throw new Error('a removal of nothing was committed')
}

/** Throws what a refused claim means for the writer who asked for exactly this value. */
export function refuseClaim(kind: Kind, name: string, { field, value }: Claim): StatusError {
  return invalid(kind.type.kind, kind.type.group, name, [
    {
      type: 'FieldValueInvalid',
      field,
      message: `Invalid value: ${JSON.stringify(value)}: provided ${typeof value === 'number' ? 'port' : 'IP'} is already allocated`,
    },
  ])
}

export async function isClaimed(registry: Registry, id: string): Promise<boolean> {
  return (await registry.store.get(claimPrefix + id)).entry !== undefined
}

function claimsOf(kind: Kind, entry: Entry): Claim[] {
  if (!kind.strategy.claims) return []
  return kind.strategy.claims(JSON.parse(Buffer.from(entry.value).toString()) as KubernetesObject)
}

function refusalOf(
  comparisons: readonly Comparison[],
  current: readonly (Entry | undefined)[],
  added: readonly Claim[],
): Refusal {
  const failed = comparisons.findIndex(({ modRevision }, i) => (current[i]?.modRevision ?? 0) !== modRevision)
  if (failed === 0) return { object: true }
  const claim = added[failed - 1]
  return claim ? { claim } : { other: true }
}

/** Everything but the write: what a dry run answers. */
async function rehearse(
  registry: Registry,
  { target, before, object: stored }: Change,
  added: readonly Claim[],
): Promise<Served | Refusal> {
  const { kind } = target
  for (const claim of added) if (await isClaimed(registry, claim.id)) return { claim }
  if (!stored) return before ? kind.cache.live(before) : { object: true }
  const now = await registry.findEntry(target)
  if (now?.modRevision !== before?.modRevision) return { object: true }
  return serve(kind.type, kind.stored, encode(kind.stored, stored), before?.modRevision ?? 0, kind.view)
}
