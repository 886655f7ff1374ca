import {
  controllerOf,
  controllerReference,
  hasCondition,
  isBeingDeleted,
  isControlledBy,
  keyOf,
  matchesLabels,
  nameOf,
  type Pod,
  type ReplicaSet,
  resources,
  selectorOf,
  splitKey,
  timestamp,
  uidOf,
} from '../../api/index.ts'
import { asKeelsonError, hasCode, type Outcome } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'
import { Expectations } from './expectations.ts'
import { availableAtMs, byDispensability, isActive, isAvailable, isReady } from './pod-state.ts'
import { canonical } from './template-hash.ts'

/**
 * Keeps as many pods of one template as a ReplicaSet asks for: adopts matching orphans, releases what no longer
 * matches, creates in growing batches (1, 2, 4 …) so that a template the server refuses is refused once and not a
 * hundred times, and deletes the most dispensable first.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the functions inside share its state, like the methods of a class
export function replicaSetController(context: ControllerContext): Controller {
  const { client, informers, clock } = context
  const sets = informers.of(resources.replicasets)
  const pods = informers.of(resources.pods)
  const expectations = new Expectations()
  const controller = new Controller({ name: 'replicaset', reconcile }, context)

  controller.watch(sets, (set) => [keyOf(set)])
  controller.watch(pods, setsOf)
  pods.onChange(({ type, key, object }) => {
    const owner = controllerOf(object)?.uid
    if (!owner) return
    if (type === 'removed') expectations.sawDeleted(owner, key)
    else expectations.sawCreated(owner, key)
    if (isBeingDeleted(object)) expectations.sawDeleted(owner, key)
  })
  return controller

  /** The set that controls a pod, or every set that could adopt it. */
  function* setsOf(pod: Pod): Iterable<string> {
    const owner = controllerOf(pod)
    if (owner?.kind === 'ReplicaSet') yield `${pod.metadata.namespace}/${owner.name}`
    if (owner) return
    for (const set of sets.by('namespace', pod.metadata.namespace ?? ''))
      if (matchesLabels(selectorOf(set.spec?.selector), pod.metadata.labels)) yield keyOf(set)
  }

  async function reconcile(key: string): Promise<Outcome | undefined> {
    const set = sets.get(key)
    if (!set) return undefined
    const owned = await claim(set)
    let failure: unknown
    if (!isBeingDeleted(set) && expectations.met(uidOf(set)))
      failure = await scale(set, owned).catch((error: unknown) => error)
    await writeStatus(set, owned, failure)
    if (failure) throw failure
    return untilAvailable(set, owned)
  }

  /** Active pods of this set, after taking orphans in and letting strangers go. */
  async function claim(set: ReplicaSet): Promise<Pod[]> {
    const selector = selectorOf(set.spec?.selector)
    const claimed: Pod[] = []
    for (const pod of pods.by('namespace', set.metadata.namespace ?? '').filter(isActive)) {
      const matches = matchesLabels(selector, pod.metadata.labels)
      if (isControlledBy(pod, set)) {
        if (matches) claimed.push(pod)
        else if (!isBeingDeleted(set)) await release(pod, set)
      } else if (matches && !controllerOf(pod) && !isBeingDeleted(set)) {
        await adopt(pod, set)
        claimed.push(pod)
      }
    }
    return claimed
  }

  async function adopt(pod: Pod, set: ReplicaSet): Promise<void> {
    const references = [
      ...(pod.metadata.ownerReferences ?? []),
      controllerReference(resources.replicasets, set),
    ]
    await patchOwners(pod, references)
  }

  async function release(pod: Pod, set: ReplicaSet): Promise<void> {
    await patchOwners(
      pod,
      (pod.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== set.metadata.uid),
    )
  }

  async function patchOwners(pod: Pod, ownerReferences: unknown[]): Promise<void> {
    const patch = {
      metadata: { uid: uidOf(pod), resourceVersion: pod.metadata.resourceVersion, ownerReferences },
    }
    await client.patch(resources.pods, refOf(pod), { type: 'merge', patch })
  }

  async function scale(set: ReplicaSet, owned: readonly Pod[]): Promise<void> {
    const missing = (set.spec?.replicas ?? 1) - owned.length
    if (missing > 0) await inGrowingBatches(missing, () => createPod(set))
    if (missing < 0) {
      const surplus = [...owned].sort(byDispensability).slice(0, -missing)
      await Promise.all(surplus.map((pod) => deletePod(set, pod)))
    }
  }

  async function createPod(set: ReplicaSet): Promise<void> {
    const template = set.spec?.template
    const pod = await client.create(resources.pods, {
      metadata: {
        ...template?.metadata,
        generateName: `${nameOf(set)}-`,
        namespace: set.metadata.namespace,
        ownerReferences: [controllerReference(resources.replicasets, set)],
      },
      spec: template?.spec,
    } as Pod)
    // The informer may have been faster than the answer.
    if (!pods.get(keyOf(pod))) expectations.expectCreated(uidOf(set), keyOf(pod))
  }

  async function deletePod(set: ReplicaSet, pod: Pod): Promise<void> {
    expectations.expectDeleted(uidOf(set), keyOf(pod))
    try {
      await client.delete(resources.pods, refOf(pod), { preconditions: { uid: uidOf(pod) } })
    } catch (error) {
      expectations.sawDeleted(uidOf(set), keyOf(pod))
      if (!hasCode(error, 'NOT_FOUND') && !hasCode(error, 'CONFLICT')) throw error
    }
  }

  async function writeStatus(set: ReplicaSet, owned: readonly Pod[], failure: unknown): Promise<void> {
    const status = statusOf(set, owned, failure, clock.nowMs())
    if (canonical(status) === canonical(set.status)) return
    await client.replaceStatus(resources.replicasets, { ...set, status })
  }

  /** With minReadySeconds a ready pod becomes available by the passing of time alone. */
  function untilAvailable(set: ReplicaSet, owned: readonly Pod[]): Outcome | undefined {
    const seconds = set.spec?.minReadySeconds ?? 0
    const waits = owned
      .filter((pod) => seconds > 0 && isReady(pod))
      .map((pod) => availableAtMs(pod, seconds) - clock.nowMs())
      .filter((delayMs) => delayMs > 0)
    return waits.length > 0 ? { afterMs: Math.min(...waits) } : undefined
  }
}

/** The status a set should show for these pods; zero counts are left out, as the API does. */
export function statusOf(
  set: ReplicaSet,
  owned: readonly Pod[],
  failure: unknown,
  nowMs: number,
): ReplicaSet['status'] {
  const templateLabels = Object.entries(set.spec?.template?.metadata?.labels ?? {})
  const labelled = owned.filter((pod) =>
    templateLabels.every(([name, value]) => pod.metadata.labels?.[name] === value),
  )
  const available = owned.filter((pod) => isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs))
  const conditions = failureCondition(set, failure, nowMs)
  return {
    ...(available.length > 0 ? { availableReplicas: available.length } : {}),
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(labelled.length > 0 ? { fullyLabeledReplicas: labelled.length } : {}),
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    ...(owned.filter(isReady).length > 0 ? { readyReplicas: owned.filter(isReady).length } : {}),
    replicas: owned.length,
  }
}

function failureCondition(set: ReplicaSet, failure: unknown, nowMs: number) {
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure')
  if (!failure) return others
  const known = (set.status?.conditions ?? []).find(({ type }) => type === 'ReplicaFailure')
  const { message } = asKeelsonError(failure)
  const since = hasCondition(set.status?.conditions, 'ReplicaFailure')
    ? known?.lastTransitionTime
    : timestamp(nowMs)
  return [
    ...others,
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: since },
  ]
}

/** 1, then 2, then 4 … at once; a batch with a failure is the last. */
async function inGrowingBatches(count: number, work: () => Promise<void>): Promise<void> {
  for (let done = 0, size = 1; done < count; done += size, size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - done) }, work)
    const failed = (await Promise.allSettled(batch)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }
}

function refOf(object: Pod): { namespace: string | undefined; name: string } {
  return { ...splitKey(keyOf(object)) }
}
