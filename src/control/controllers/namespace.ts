import { type Namespace, nameOf, type ResourceType, resources } from '../../api/index.ts'
import type { Outcome } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'

/**
 * Empties a namespace that is being deleted and then lets it go: everything namespaced is deleted, pods before the
 * rest so that what they need outlives them, and the finalizer `kubernetes` is taken off when nothing is left.
 */
const podGracePeriodRetryMs = 1000
const finalizer = 'kubernetes'

export function namespaceController(context: ControllerContext): Controller {
  const { client, informers } = context
  const namespaces = informers.of(resources.namespaces)
  const contents = namespacedTypes()
  const controller = new Controller({ name: 'namespace', reconcile }, context)
  controller.watch(namespaces, (namespace) => [nameOf(namespace)])
  // Each object that goes may have been the last.
  for (const type of contents)
    informers.of(type).onChange(({ type: change, object }) => {
      const name = object.metadata.namespace ?? ''
      if (change === 'removed' && namespaces.get(name)?.metadata.deletionTimestamp) controller.enqueue(name)
    })
  return controller

  async function reconcile(name: string): Promise<Outcome | undefined> {
    const namespace = namespaces.get(name)
    if (!namespace?.metadata.deletionTimestamp) return undefined
    if (!(namespace.spec?.finalizers ?? []).includes(finalizer)) return undefined
    if ((await empty(name, [resources.pods])) > 0) return { afterMs: podGracePeriodRetryMs }
    const rest = contents.filter((type) => type.plural !== resources.pods.plural)
    if ((await empty(name, rest)) > 0) return { afterMs: podGracePeriodRetryMs }
    await finalize(namespace)
    return undefined
  }

  /** Deletes everything of these kinds; how many are still there. Asked of the server: a cache may be behind. */
  async function empty(namespace: string, types: readonly ResourceType[]): Promise<number> {
    let left = 0
    for (const type of types) {
      if ((await client.list(type, { namespace, limit: 1 })).items.length === 0) continue
      await client.deleteCollection(type, { namespace })
      left += (await client.list(type, { namespace, limit: 1 })).items.length
    }
    return left
  }

  async function finalize(namespace: Namespace): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== finalizer)
    const emptied = { ...namespace, spec: { ...namespace.spec, finalizers } }
    await client.replaceSubresource(resources.namespaces, emptied, 'finalize')
  }
}

/** Kinds that live in namespaces and keep objects of their own (a view of another kind keeps none). */
export function namespacedTypes(): ResourceType[] {
  return (Object.values(resources) as ResourceType[]).filter((type) => type.namespaced && !type.viewOf)
}
