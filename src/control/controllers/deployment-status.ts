import {
  type Deployment,
  type DeploymentCondition,
  type DeploymentStatus,
  findCondition,
  type ReplicaSet,
  withCondition,
} from '../../api/index.ts'

/**
 * What a Deployment shows of its ReplicaSets: the counts, and two conditions. `Available` holds while enough pods
 * are; `Progressing` tells whether the rollout moves, has ended, or has not moved for progressDeadlineSeconds.
 */
export interface RolloutView {
  deployment: Deployment
  current: ReplicaSet | undefined
  sets: readonly ReplicaSet[]
  maxUnavailable: number
  nowMs: number
}

export function deploymentStatus(view: RolloutView): DeploymentStatus {
  const { deployment, current, sets } = view
  const count = (field: 'replicas' | 'readyReplicas' | 'availableReplicas', of = sets) =>
    of.reduce((total, set) => total + (set.status?.[field] ?? 0), 0)
  const replicas = count('replicas')
  const available = count('availableReplicas')
  const counts = {
    availableReplicas: available,
    readyReplicas: count('readyReplicas'),
    replicas,
    unavailableReplicas: Math.max(
      0,
      sets.reduce((total, set) => total + (set.spec?.replicas ?? 0), 0) - available,
    ),
    updatedReplicas: current ? count('replicas', [current]) : 0,
  }
  const shown = Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0))
  return {
    ...(deployment.status?.collisionCount === undefined
      ? {}
      : { collisionCount: deployment.status.collisionCount }),
    ...(deployment.metadata.generation === undefined
      ? {}
      : { observedGeneration: deployment.metadata.generation }),
    ...shown,
    conditions: conditions(view, counts),
  }
}

type Counts = { availableReplicas: number; updatedReplicas: number; replicas: number }

function conditions(view: RolloutView, counts: Counts): DeploymentCondition[] {
  const { deployment, maxUnavailable, nowMs } = view
  const enough = counts.availableReplicas >= (deployment.spec?.replicas ?? 1) - maxUnavailable
  const available: DeploymentCondition = {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: enough
      ? 'Deployment has minimum availability.'
      : 'Deployment does not have minimum availability.',
  }
  const before = deployment.status?.conditions
  return stamp(stamp(before, available, nowMs), progressing(view, counts), nowMs)
}

function progressing(view: RolloutView, counts: Counts): DeploymentCondition {
  const { deployment, current } = view
  const name = current?.metadata.name ?? ''
  if (isComplete(deployment, counts))
    return condition('True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
  if (moved(deployment, counts))
    return condition('True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`)
  if (progressLeftMs(view) <= 0)
    return condition('False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`)
  const before = findCondition(deployment.status?.conditions, 'Progressing')
  return before && before.reason !== 'NewReplicaSetAvailable'
    ? before
    : condition('True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`)
}

/** Milliseconds until the rollout counts as stuck; infinite without a deadline, when paused or complete. */
export function progressLeftMs({ deployment, nowMs }: Pick<RolloutView, 'deployment' | 'nowMs'>): number {
  const seconds = deployment.spec?.progressDeadlineSeconds
  const since = findCondition(deployment.status?.conditions, 'Progressing')
  if (seconds === undefined || deployment.spec?.paused || !since || since.reason === 'NewReplicaSetAvailable')
    return Infinity
  return Date.parse(since.lastUpdateTime ?? since.lastTransitionTime ?? '') + seconds * 1000 - nowMs
}

export function isComplete(deployment: Deployment, counts: Counts): boolean {
  const desired = deployment.spec?.replicas ?? 1
  return (
    counts.updatedReplicas === desired && counts.replicas === desired && counts.availableReplicas === desired
  )
}

/** More new pods, fewer old ones, or more available than the status knew of. */
function moved({ status }: Deployment, counts: Counts): boolean {
  const old = (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  return (
    counts.updatedReplicas > (status?.updatedReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < old ||
    counts.availableReplicas > (status?.availableReplicas ?? 0)
  )
}

function condition(status: string, reason: string, message: string): DeploymentCondition {
  return { type: 'Progressing', status, reason, message }
}

/** As withCondition, and lastUpdateTime moves whenever anything of the condition does or the rollout progressed. */
function stamp(
  before: DeploymentCondition[] | undefined,
  next: DeploymentCondition,
  nowMs: number,
): DeploymentCondition[] {
  const known = findCondition(before, next.type)
  const list = withCondition([...(before ?? [])], next, nowMs)
  const same =
    known && known.status === next.status && known.reason === next.reason && known.message === next.message
  const lastUpdateTime = same ? known.lastUpdateTime : `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  return list.map((one) => (one.type === next.type ? { ...one, lastUpdateTime } : one))
}
