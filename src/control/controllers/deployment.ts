import {
  controllerOf,
  controllerReference,
  type Deployment,
  isBeingDeleted,
  isControlledBy,
  keyOf,
  nameOf,
  type ReplicaSet,
  resources,
  splitKey,
} from '../../api/index.ts'
import { hasCode, type Outcome } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'
import { deploymentStatus, progressLeftMs } from './deployment-status.ts'
import { nextReplicas, type ReplicaCounts, resolveStrategy } from './rollout.ts'
import { canonical, templateHash } from './template-hash.ts'

/**
 * Walks a Deployment from the pods it has to the pods it wants through ReplicaSets, one per template. All state is
 * in the objects: the template's hash names the set, the annotation below numbers the revisions, and the arithmetic
 * of each step is `nextReplicas`. A paused Deployment is scaled but not rolled.
 */
export const revisionAnnotation = 'deployment.kubernetes.io/revision'
const hashLabel = 'pod-template-hash'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the functions inside share its state, like the methods of a class
export function deploymentController(context: ControllerContext): Controller {
  const { client, informers, clock } = context
  const deployments = informers.of(resources.deployments)
  const sets = informers.of(resources.replicasets)
  const controller = new Controller({ name: 'deployment', reconcile }, context)
  controller.watch(deployments, (deployment) => [keyOf(deployment)])
  controller.watch(sets, (set) => {
    const owner = controllerOf(set)
    return owner?.kind === 'Deployment' ? [`${set.metadata.namespace}/${owner.name}`] : []
  })
  return controller

  async function reconcile(key: string): Promise<Outcome | undefined> {
    const deployment = deployments.get(key)
    if (!deployment || isBeingDeleted(deployment)) return undefined
    const owned = sets
      .by('owner', deployment.metadata.uid ?? '')
      .filter((set) => isControlledBy(set, deployment))
    const current = currentSet(deployment, owned)
    if (!current && !deployment.spec?.paused) {
      await createSet(deployment, owned)
      return undefined // its appearance in the informer is the next event
    }
    if (current) await roll(deployment, current, owned)
    await prune(deployment, current, owned)
    return writeStatus(deployment, current, owned)
  }

  async function createSet(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<void> {
    const made = newReplicaSet(deployment, initialReplicas(deployment, owned), 1 + highestRevision(owned))
    try {
      await client.create(resources.replicasets, made)
    } catch (error) {
      if (!hasCode(error, 'ALREADY_EXISTS')) throw error
      await resolveCollision(deployment, made)
    }
    const revision = made.metadata.annotations?.[revisionAnnotation] ?? ''
    await annotate(deployment, revision)
  }

  /** The name is taken: ours, only not seen yet, or another template's with the same hash. */
  async function resolveCollision(deployment: Deployment, made: ReplicaSet): Promise<void> {
    const taken = await client.get(resources.replicasets, refOf(made))
    if (isControlledBy(taken, deployment) && sameTemplate(deployment, taken)) return
    const status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 }
    await client.replaceStatus(resources.deployments, { ...deployment, status })
  }

  async function roll(
    deployment: Deployment,
    current: ReplicaSet,
    owned: readonly ReplicaSet[],
  ): Promise<void> {
    await keepRevision(deployment, current, owned)
    const changes = deployment.spec?.paused
      ? new Map(
          [[nameOf(current), deployment.spec.replicas ?? 1]].filter(() => owned.length === 1) as [
            string,
            number,
          ][],
        )
      : plan(deployment, current, owned)
    for (const set of owned) {
      const replicas = changes.get(nameOf(set))
      if (replicas === undefined || replicas === set.spec?.replicas) continue
      await client.patch(resources.replicasets, refOf(set), { type: 'merge', patch: { spec: { replicas } } })
    }
  }

  /** A set that is current again (a rollback) gets the highest revision. */
  async function keepRevision(
    deployment: Deployment,
    current: ReplicaSet,
    owned: readonly ReplicaSet[],
  ): Promise<void> {
    const others = highestRevision(owned.filter((set) => set !== current))
    if (revisionOf(current) <= others) {
      const annotations = { [revisionAnnotation]: String(others + 1) }
      await client.patch(resources.replicasets, refOf(current), {
        type: 'merge',
        patch: { metadata: { annotations } },
      })
      await annotate(deployment, String(others + 1))
    } else await annotate(deployment, String(revisionOf(current)))
  }

  async function annotate(deployment: Deployment, revision: string): Promise<void> {
    if (deployment.metadata.annotations?.[revisionAnnotation] === revision) return
    const patch = { metadata: { annotations: { [revisionAnnotation]: revision } } }
    await client.patch(resources.deployments, refOf(deployment), { type: 'merge', patch })
  }

  /** Old, empty sets beyond revisionHistoryLimit go, oldest first. */
  async function prune(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    owned: readonly ReplicaSet[],
  ): Promise<void> {
    const empty = owned
      .filter(
        (set) =>
          set !== current &&
          !isBeingDeleted(set) &&
          set.spec?.replicas === 0 &&
          (set.status?.replicas ?? 0) === 0,
      )
      .sort((a, b) => revisionOf(a) - revisionOf(b))
    const surplus = Math.max(0, empty.length - (deployment.spec?.revisionHistoryLimit ?? 10))
    for (const set of empty.slice(0, surplus)) await client.delete(resources.replicasets, refOf(set))
  }

  async function writeStatus(
    deployment: Deployment,
    current: ReplicaSet | undefined,
    owned: readonly ReplicaSet[],
  ): Promise<Outcome | undefined> {
    const { maxUnavailable } = strategyOf(deployment)
    const nowMs = clock.nowMs()
    const status = deploymentStatus({ deployment, current, sets: owned, maxUnavailable, nowMs })
    if (canonical(status) !== canonical(deployment.status))
      await client.patch(
        resources.deployments,
        refOf(deployment),
        { type: 'merge', patch: { status: cleared(deployment.status, status) } },
        { subresource: 'status' },
      )
    const leftMs = progressLeftMs({ deployment: { ...deployment, status }, nowMs })
    return Number.isFinite(leftMs) && leftMs > 0 ? { afterMs: leftMs + 1000 } : undefined
  }
}

/** A merge patch that turns one status into another: what is no longer there becomes null. */
function cleared(before: object | undefined, after: object): object {
  const gone = Object.keys(before ?? {}).filter((name) => !(name in after))
  return { ...Object.fromEntries(gone.map((name) => [name, null])), ...after }
}

function plan(
  deployment: Deployment,
  current: ReplicaSet,
  owned: readonly ReplicaSet[],
): Map<string, number> {
  const desired = deployment.spec?.replicas ?? 1
  const old = owned.filter((set) => set !== current).sort((a, b) => revisionOf(a) - revisionOf(b))
  if (deployment.spec?.strategy?.type === 'Recreate') return recreate(desired, current, old)
  return nextReplicas({
    desired,
    ...strategyOf(deployment),
    current: countsOf(current),
    old: old.map(countsOf),
  })
}

/** Recreate: the old are gone to the last pod before the first new one comes. */
function recreate(desired: number, current: ReplicaSet, old: readonly ReplicaSet[]): Map<string, number> {
  if (old.some((set) => (set.spec?.replicas ?? 0) > 0)) return new Map(old.map((set) => [nameOf(set), 0]))
  return old.some((set) => (set.status?.replicas ?? 0) > 0)
    ? new Map()
    : new Map([[nameOf(current), desired]])
}

function strategyOf(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  return resolveStrategy(deployment.spec?.strategy?.rollingUpdate ?? {}, deployment.spec?.replicas ?? 1)
}

function countsOf(set: ReplicaSet): ReplicaCounts {
  return { name: nameOf(set), wanted: set.spec?.replicas ?? 0, available: set.status?.availableReplicas ?? 0 }
}

function initialReplicas(deployment: Deployment, owned: readonly ReplicaSet[]): number {
  if (deployment.spec?.strategy?.type === 'Recreate' && owned.some((set) => (set.status?.replicas ?? 0) > 0))
    return 0
  const current = { name: '', wanted: 0, available: 0 }
  const next = nextReplicas({
    desired: deployment.spec?.replicas ?? 1,
    ...strategyOf(deployment),
    current,
    old: owned.map(countsOf),
  })
  return next.get('') ?? 0
}

/** The set whose template is the Deployment's, the hash label aside. */
export function currentSet(deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined {
  return owned.find((set) => sameTemplate(deployment, set))
}

function sameTemplate(deployment: Deployment, set: ReplicaSet): boolean {
  const template = set.spec?.template
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {}
  const bare = { ...template, metadata: { ...template?.metadata, labels } }
  const wanted = deployment.spec?.template
  return (
    canonical(bare) ===
    canonical({ ...wanted, metadata: { ...wanted?.metadata, labels: wanted?.metadata?.labels ?? {} } })
  )
}

export function newReplicaSet(deployment: Deployment, replicas: number, revision: number): ReplicaSet {
  const template = deployment.spec?.template
  const hash = templateHash(template, deployment.status?.collisionCount)
  const labels = { ...template?.metadata?.labels, [hashLabel]: hash }
  const selector = deployment.spec?.selector
  return {
    metadata: {
      name: `${nameOf(deployment)}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: { [revisionAnnotation]: String(revision) },
      ownerReferences: [controllerReference(resources.deployments, deployment)],
    },
    spec: {
      replicas,
      minReadySeconds: deployment.spec?.minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template?.metadata, labels } },
    },
  } as ReplicaSet
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[revisionAnnotation] ?? 0)
}

function highestRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map(revisionOf))
}

function refOf(object: Deployment | ReplicaSet): { namespace: string | undefined; name: string } {
  return splitKey(keyOf(object))
}
