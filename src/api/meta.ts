/** Questions about an object's metadata that every layer asks: its key, its owner, its conditions. */
import { KeelsonError } from '../base/index.ts'
import { apiVersionOf, type KubernetesObject, type ResourceType } from './resource-type.ts'
import type { OwnerReference } from './types/index.ts'

/** `namespace/name`, or `name` for a cluster-wide object: the key of informers and work queues. */
export type ObjectKey = string

export function keyOf(object: KubernetesObject): ObjectKey {
  return objectKey(object.metadata.namespace, nameOf(object))
}

export function objectKey(namespace: string | undefined, name: string): ObjectKey {
  return namespace ? `${namespace}/${name}` : name
}

export function splitKey(key: ObjectKey): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/')
  if (slash < 0) return { namespace: undefined, name: key }
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** Name of an object that exists; an object without one is a mistake of ours. */
export function nameOf(object: KubernetesObject): string {
  const name = object.metadata.name
  if (!name) throw new KeelsonError('INTERNAL', `${object.kind ?? 'object'} without a name`)
  return name
}

/** Uid of an object that came from the server. */
export function uidOf(object: KubernetesObject): string {
  const uid = object.metadata.uid
  if (!uid) throw new KeelsonError('INTERNAL', `${object.kind ?? 'object'} without a uid`)
  return uid
}

/** The reference that makes `owner` the managing controller of a dependant. */
export function controllerReference<T extends KubernetesObject>(
  type: ResourceType<T>,
  owner: T,
): OwnerReference {
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name: nameOf(owner),
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  }
}

export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true)
}

export function isControlledBy(object: KubernetesObject, owner: KubernetesObject): boolean {
  const uid = owner.metadata.uid
  return uid !== undefined && controllerOf(object)?.uid === uid
}

export function isBeingDeleted(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

export interface ConditionLike {
  type: string
  status: string
  reason?: string | undefined
  message?: string | undefined
  lastTransitionTime?: string | undefined
}

export function findCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((one) => one.type === type)
}

/** True when the condition of this type has status "True". */
export function hasCondition(conditions: readonly ConditionLike[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True'
}

/**
 * The list with this condition in it, in place of one of the same type. `lastTransitionTime` is `nowMs` when the
 * status changed and stays otherwise. The same list comes back when nothing changed.
 */
export function withCondition<C extends ConditionLike>(
  conditions: C[] | undefined,
  condition: C,
  nowMs: number,
): C[] {
  const before = findCondition(conditions, condition.type)
  if (!before) return [...(conditions ?? []), { ...condition, lastTransitionTime: timestamp(nowMs) }]
  const moved = before.status !== condition.status
  const next: C = {
    ...before,
    ...condition,
    lastTransitionTime: moved ? timestamp(nowMs) : before.lastTransitionTime,
  }
  if (!moved && before.reason === next.reason && before.message === next.message) return conditions ?? []
  return (conditions ?? []).map((one) => (one.type === condition.type ? next : one))
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 with microseconds, as metav1.MicroTime is written. */
export function microTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}
