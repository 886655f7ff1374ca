import { type DeleteOptions, type KubernetesObject, timestamp } from '../../../api/index.ts'
import type { Entry } from '../../store/index.ts'
import { conflict, forbidden, notFound } from '../status.ts'
import { commit } from './commit.ts'
import { badBody } from './decode.ts'
import { type Kind, named, type Registry, storedForm, type Target } from './registry.ts'
import { Served } from './served.ts'

export type Deletion = Pick<
  DeleteOptions,
  'gracePeriodSeconds' | 'propagationPolicy' | 'orphanDependents' | 'preconditions'
> & { dryRun: boolean }

export interface Deleted {
  served: Served
  /** False while finalizers or a grace period keep the object. */
  removed: boolean
}

const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/**
 * Deletes an object, or marks it as being deleted while something keeps it: a finalizer (of the propagation policy
 * too: the garbage collector takes those off), or a grace period, whose end the kubelet confirms with grace 0.
 */
export async function remove(registry: Registry, target: Target, options: Deletion): Promise<Deleted> {
  for (;;) {
    const entry = await registry.findEntry(target)
    if (!entry) throw notFound(named(target))
    const current = target.kind.cache.live(entry)
    checkPreconditions(target, current.object, options)
    const refusal = target.kind.strategy.refuseDeletion?.(current.object)
    if (refusal !== undefined) throw forbidden(named(target), refusal)
    const result = await tryRemove(registry, target, entry, current, options)
    if (result) return result
  }
}

/** True once a version may leave the store: it is being deleted, nothing keeps it, its grace is over. */
export function isGone(kind: Kind, object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata
  if (deletionTimestamp === undefined || finalizers.length > 0 || deletionGracePeriodSeconds > 0) return false
  return !kind.strategy.isKept?.(object)
}

async function tryRemove(
  registry: Registry,
  target: Target,
  entry: Entry,
  current: Served,
  options: Deletion,
): Promise<Deleted | undefined> {
  const { kind } = target
  const object = storedForm(kind, current.copy())
  setPropagation(object, options)
  const changed = markDeleted(registry, kind, object, options)
  const gone = isGone(kind, object)
  if (!gone && !changed && sameFinalizers(object, current.object)) return { served: current, removed: false }
  const result = await commit(registry, {
    target,
    object: gone ? undefined : object,
    before: entry,
    dryRun: options.dryRun,
  })
  return result instanceof Served ? { served: result, removed: gone } : undefined
}

/** Sets deletionTimestamp and grace; a later request may only shorten them. True when something changed. */
function markDeleted(registry: Registry, kind: Kind, object: KubernetesObject, options: Deletion): boolean {
  const { metadata } = object
  const asked = options.gracePeriodSeconds
  if (asked !== undefined && asked < 0) throw badBody('gracePeriodSeconds must be a non-negative integer')
  const grace = kind.strategy.gracePeriodSeconds?.(object, asked) ?? 0
  const before = metadata.deletionGracePeriodSeconds ?? 0
  if (metadata.deletionTimestamp !== undefined && (asked === undefined || grace >= before)) return false
  const startedMs =
    metadata.deletionTimestamp === undefined
      ? registry.clock.nowMs()
      : Date.parse(metadata.deletionTimestamp) - before * 1000
  const isFirst = metadata.deletionTimestamp === undefined
  metadata.deletionTimestamp = timestamp(startedMs + grace * 1000)
  metadata.deletionGracePeriodSeconds = grace
  if (isFirst) kind.strategy.beginDeletion?.(object)
  if (isFirst && kind.strategy.countsGenerations) metadata.generation = (metadata.generation ?? 0) + 1
  return true
}

/** The policy becomes a finalizer; Background takes both off. */
function setPropagation({ metadata }: KubernetesObject, options: Deletion): void {
  const policy = policyOf(options)
  if (policy === undefined) return
  const others = (metadata.finalizers ?? []).filter((one) => one !== foreground && one !== orphan)
  const own = policy === 'Foreground' ? [foreground] : policy === 'Orphan' ? [orphan] : []
  const finalizers = [...others, ...own]
  if (finalizers.length > 0) metadata.finalizers = finalizers
  else delete metadata.finalizers
}

function policyOf({ propagationPolicy, orphanDependents }: Deletion): string | undefined {
  if (orphanDependents !== undefined) return orphanDependents ? 'Orphan' : 'Background'
  if (propagationPolicy === undefined || propagationPolicy === '') return undefined
  if (['Foreground', 'Background', 'Orphan'].includes(propagationPolicy)) return propagationPolicy
  throw badBody(
    `propagationPolicy: Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Background", "Foreground", "Orphan"`,
  )
}

function sameFinalizers(a: KubernetesObject, b: KubernetesObject): boolean {
  return (a.metadata.finalizers ?? []).join() === (b.metadata.finalizers ?? []).join()
}

function checkPreconditions(
  target: Target,
  { metadata }: KubernetesObject,
  { preconditions }: Deletion,
): void {
  const { uid, resourceVersion } = preconditions ?? {}
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(
      named(target),
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const present = `ResourceVersion in object meta: ${metadata.resourceVersion}`
    throw conflict(
      named(target),
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ${present}`,
    )
  }
}
