import {
  type ApiClient,
  apiVersionOf,
  type Informer,
  isBeingDeleted,
  type KubernetesObject,
  keyOf,
  nameOf,
  type OwnerReference,
  type ResourceType,
  resources,
} from '../../api/index.ts'
import { hasCode } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'

/**
 * Deletes what nobody owns any more. An object goes when it has owners and none of them exists; an owner that is
 * deleted in the foreground waits, by its finalizer, until its blocking dependants are gone; with `orphan` its
 * dependants lose the reference instead. Absence is asked of the server, never believed of a cache.
 *
 * Work items are `<plural>|<namespace/name>`.
 */
const foreground = 'foregroundDeletion'
const orphan = 'orphan'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the functions inside share its state, like the methods of a class
export function garbageCollector(context: ControllerContext): Controller {
  const { client, informers } = context
  const types = new Map(ownedTypes().map((type) => [type.plural, type]))
  const controller = new Controller({ name: 'garbage-collector', reconcile, concurrency: 8 }, context)
  for (const type of types.values()) {
    const item = (object: KubernetesObject) => `${type.plural}|${keyOf(object)}`
    informers.of(type).onChange(({ type: change, object }) => {
      if (change !== 'removed') controller.enqueue(item(object))
      if (change === 'removed' || isBeingDeleted(object))
        for (const one of dependants(object)) controller.enqueue(one.item)
      // A dependant that goes may be the last its owner waited for.
      if (change === 'removed')
        for (const owner of object.metadata.ownerReferences ?? []) enqueueOwner(object, owner)
    })
  }
  return controller

  async function reconcile(item: string): Promise<void> {
    const [plural = '', key = ''] = item.split('|')
    const type = types.get(plural)
    const object = type && informers.of(type).get(key)
    if (!type || !object) return
    if (isBeingDeleted(object)) await finish(type, object)
    else await collect(type, object)
  }

  /** Deletes the object when it had owners and all are gone or go. */
  async function collect(type: ResourceType, object: KubernetesObject): Promise<void> {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0) return
    const states = await Promise.all(owners.map((owner) => ownerState(object, owner)))
    if (states.includes('there')) return
    await remove(client, type, object, states.includes('waiting') ? 'Foreground' : 'Background')
  }

  /** `waiting`: being deleted in the foreground, so its dependants go first. */
  async function ownerState(
    object: KubernetesObject,
    owner: OwnerReference,
  ): Promise<'there' | 'waiting' | 'gone'> {
    const type = typeOf(owner)
    if (!type) return 'there' // a kind this server does not know is not ours to judge
    const namespace = type.namespaced ? object.metadata.namespace : undefined
    const cached = informerOf(type)?.get(namespace ? `${namespace}/${owner.name}` : owner.name)
    const found =
      cached?.metadata.uid === owner.uid ? cached : await client.find(type, { namespace, name: owner.name })
    if (found?.metadata.uid !== owner.uid) return 'gone'
    return isBeingDeleted(found) && (found.metadata.finalizers ?? []).includes(foreground)
      ? 'waiting'
      : 'there'
  }

  /** Carries out the finalizers that are this controller's. */
  async function finish(type: ResourceType, object: KubernetesObject): Promise<void> {
    const finalizers = object.metadata.finalizers ?? []
    if (finalizers.includes(orphan)) {
      for (const one of dependants(object)) await disown(one.type, one.object, object)
      await takeOff(type, object, orphan)
    } else if (finalizers.includes(foreground)) {
      const blocking = dependants(object).filter((one) => blocks(one.object, object))
      for (const one of blocking)
        if (!isBeingDeleted(one.object)) await remove(client, one.type, one.object, 'Foreground')
      if (blocking.length === 0) await takeOff(type, object, foreground)
    }
  }

  async function disown(
    type: ResourceType,
    object: KubernetesObject,
    owner: KubernetesObject,
  ): Promise<void> {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== owner.metadata.uid,
    )
    const metadata = { resourceVersion: object.metadata.resourceVersion, ownerReferences }
    await client.patch(type, refOf(object), { type: 'merge', patch: { metadata } })
  }

  async function takeOff(type: ResourceType, object: KubernetesObject, finalizer: string): Promise<void> {
    const finalizers = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer)
    const metadata = { resourceVersion: object.metadata.resourceVersion, finalizers }
    try {
      await client.patch(type, refOf(object), { type: 'merge', patch: { metadata } })
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error
    }
  }

  function dependants(owner: KubernetesObject) {
    return [...types.values()].flatMap((type) =>
      informers
        .of(type)
        .by('owner', owner.metadata.uid ?? '')
        .map((object) => ({ type, object, item: `${type.plural}|${keyOf(object)}` })),
    )
  }

  function enqueueOwner(object: KubernetesObject, owner: OwnerReference): void {
    const type = typeOf(owner)
    if (!type || !types.has(type.plural)) return
    controller.enqueue(
      `${type.plural}|${type.namespaced ? `${object.metadata.namespace}/` : ''}${owner.name}`,
    )
  }

  function informerOf(type: ResourceType): Informer<KubernetesObject> | undefined {
    return types.has(type.plural) ? informers.of(type) : undefined
  }
}

/** Kinds that own or are owned; events come and go by themselves and would only make work. */
function ownedTypes(): ResourceType[] {
  return (Object.values(resources) as ResourceType[]).filter((type) => !type.viewOf && type.kind !== 'Event')
}

function typeOf({ apiVersion, kind }: OwnerReference): ResourceType | undefined {
  return (Object.values(resources) as ResourceType[]).find(
    (type) => type.kind === kind && apiVersionOf(type) === apiVersion,
  )
}

function blocks(dependant: KubernetesObject, owner: KubernetesObject): boolean {
  const reference = dependant.metadata.ownerReferences?.find(({ uid }) => uid === owner.metadata.uid)
  return reference?.blockOwnerDeletion === true
}

async function remove(
  client: ApiClient,
  type: ResourceType,
  object: KubernetesObject,
  propagationPolicy: 'Foreground' | 'Background',
): Promise<void> {
  const { uid, resourceVersion } = object.metadata
  try {
    // The version too: an owner may have been added since this was decided.
    await client.delete(type, refOf(object), { propagationPolicy, preconditions: { uid, resourceVersion } })
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error
  }
}

function refOf(object: KubernetesObject): { namespace: string | undefined; name: string } {
  return { namespace: object.metadata.namespace, name: nameOf(object) }
}
