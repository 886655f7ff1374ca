/**
 * The arithmetic of a rolling update, as a pure function: how many replicas each ReplicaSet of a Deployment should
 * have next. Called again after every change, it walks from the old template to the new one without ever running
 * more than `desired + maxSurge` pods or letting fewer than `desired - maxUnavailable` be available
 * (apps/v1 Deployment, RollingUpdateDeployment).
 */
export interface ReplicaCounts {
  name: string
  /** spec.replicas */
  wanted: number
  /** status.availableReplicas */
  available: number
}

export interface RolloutInput {
  desired: number
  maxSurge: number
  maxUnavailable: number
  current: ReplicaCounts
  /** Older ReplicaSets, oldest first. */
  old: readonly ReplicaCounts[]
}

/** New replica counts by ReplicaSet name; only those that change. */
export function nextReplicas(input: RolloutInput): Map<string, number> {
  const grown = growCurrent(input)
  if (grown !== input.current.wanted) return new Map([[input.current.name, grown]])
  return shrinkOld(input)
}

function growCurrent({ desired, maxSurge, current, old }: RolloutInput): number {
  if (current.wanted >= desired) return desired
  const total = sum([current, ...old], 'wanted')
  const room = desired + maxSurge - total
  return room <= 0 ? current.wanted : Math.min(desired, current.wanted + room)
}

/** Old pods go in two steps: those that are not available anyway, then available ones as far as the floor allows. */
function shrinkOld({ desired, maxUnavailable, current, old }: RolloutInput): Map<string, number> {
  const floor = desired - maxUnavailable
  const currentUnavailable = Math.max(0, current.wanted - current.available)
  let budget = sum([current, ...old], 'wanted') - floor - currentUnavailable
  const next = new Map<string, number>()
  const take = (set: ReplicaCounts, most: number): number => {
    const before = next.get(set.name) ?? set.wanted
    const taken = Math.max(0, Math.min(most, before, budget))
    if (taken > 0) next.set(set.name, before - taken)
    budget -= taken
    return taken
  }
  for (const set of old) take(set, Math.max(0, set.wanted - set.available))
  let spare = sum([current, ...old], 'available') - floor
  for (const set of old) spare -= take(set, Math.min(spare, set.available))
  return next
}

export interface RollingStrategy {
  maxSurge?: string | number | undefined
  maxUnavailable?: string | number | undefined
}

/** Percentages become counts: surge rounds up, unavailable down; both zero would never move, so one may go. */
export function resolveStrategy(
  strategy: RollingStrategy,
  desired: number,
): { maxSurge: number; maxUnavailable: number } {
  const maxSurge = resolve(strategy.maxSurge ?? '25%', desired, Math.ceil)
  const maxUnavailable = resolve(strategy.maxUnavailable ?? '25%', desired, Math.floor)
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable }
}

function resolve(value: string | number, desired: number, round: (count: number) => number): number {
  if (typeof value === 'number') return value
  return value.endsWith('%') ? round((Number(value.slice(0, -1)) * desired) / 100) : Number(value)
}

function sum(sets: readonly ReplicaCounts[], field: 'wanted' | 'available'): number {
  return sets.reduce((total, set) => total + set[field], 0)
}
