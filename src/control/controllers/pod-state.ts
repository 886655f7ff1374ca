import { findCondition, hasCondition, isBeingDeleted, type Pod } from '../../api/index.ts'

/** Questions controllers ask about a pod. */
export function isActive(pod: Pod): boolean {
  return !isBeingDeleted(pod) && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
}

export function isReady(pod: Pod): boolean {
  return hasCondition(pod.status?.conditions, 'Ready')
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  if (!isReady(pod)) return false
  return minReadySeconds === 0 || availableAtMs(pod, minReadySeconds) <= nowMs
}

/** When a ready pod becomes available. */
export function availableAtMs(pod: Pod, minReadySeconds: number): number {
  const since = findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime
  return Date.parse(since ?? '') + minReadySeconds * 1000
}

/**
 * Which pods go first when there are too many: those that do the least good (not assigned, not running, not
 * ready), then those ready for the shortest time, then those restarted most, then the youngest.
 */
export function byDispensability(a: Pod, b: Pod): number {
  return (
    rank(a) - rank(b) ||
    readySince(b) - readySince(a) ||
    restarts(b) - restarts(a) ||
    Date.parse(b.metadata.creationTimestamp ?? '') - Date.parse(a.metadata.creationTimestamp ?? '')
  )
}

function rank(pod: Pod): number {
  if (!pod.spec?.nodeName) return 0
  if (pod.status?.phase !== 'Running') return 1
  return isReady(pod) ? 3 : 2
}

function readySince(pod: Pod): number {
  if (!isReady(pod)) return 0
  return Date.parse(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '') || 0
}

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount))
}
