import {
  findCondition,
  hasCondition,
  isBeingDeleted,
  keyOf,
  type Node,
  type NodeCondition,
  nameOf,
  type Pod,
  resources,
  type Taint,
  timestamp,
  withCondition,
} from '../../api/index.ts'
import { hasCode, type Outcome } from '../../base/index.ts'
import { Controller, type ControllerContext } from './controller.ts'
import { canonical } from './template-hash.ts'

/**
 * Judges nodes by their Lease. One not renewed for 40 s makes every condition Unknown. Taints follow the Ready
 * condition, so that nothing new is scheduled there and, 300 s later by the usual tolerations, pods are evicted:
 * each pod on a NoExecute taint is deleted when its toleration runs out.
 */
const graceMs = 40_000
const leaseNamespace = 'kube-node-lease'
const unreachable = 'node.kubernetes.io/unreachable'
const notReady = 'node.kubernetes.io/not-ready'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the functions inside share its state, like the methods of a class
export function nodeLifecycleController(context: ControllerContext): Controller {
  const { client, informers, clock } = context
  const nodes = informers.of(resources.nodes)
  const leases = informers.of(resources.leases)
  const pods = informers.of(resources.pods)
  const seen = new Map<string, { renewTime: string; atMs: number }>()
  const controller = new Controller({ name: 'node-lifecycle', reconcile }, context)
  controller.watch(nodes, (node) => [nameOf(node)])
  controller.watch(leases, (lease) => (lease.metadata.namespace === leaseNamespace ? [nameOf(lease)] : []))
  controller.watch(pods, (pod) => (isTainted(pod.spec?.nodeName) ? [pod.spec?.nodeName ?? ''] : []))
  return controller

  function isTainted(nodeName: string | undefined): boolean {
    return (
      nodeName !== undefined &&
      (nodes.get(nodeName)?.spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute')
    )
  }

  async function reconcile(name: string): Promise<Outcome | undefined> {
    const node = nodes.get(name)
    if (!node || isBeingDeleted(node)) {
      seen.delete(name)
      return undefined
    }
    const leftMs = graceMs - (clock.monotonicMs() - lastRenewalMs(node))
    if (leftMs <= 0) await markUnknown(node)
    await followWithTaints(node)
    const evictionMs = await evict(node)
    return { afterMs: Math.max(100, Math.min(leftMs > 0 ? leftMs + 50 : graceMs, evictionMs)) }
  }

  /** By our own monotonic clock since the renewal was seen: clocks of two machines differ. */
  function lastRenewalMs(node: Node): number {
    const name = nameOf(node)
    const renewTime =
      leases.get(`${leaseNamespace}/${name}`)?.spec?.renewTime ?? node.metadata.creationTimestamp ?? ''
    const known = seen.get(name)
    if (known?.renewTime === renewTime) return known.atMs
    const atMs = clock.monotonicMs()
    seen.set(name, { renewTime, atMs })
    return atMs
  }

  async function markUnknown(node: Node): Promise<void> {
    const silent = (type: string): NodeCondition => ({
      type,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    })
    let conditions = node.status?.conditions
    for (const type of ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'])
      conditions = withCondition(conditions, silent(type), clock.nowMs())
    if (canonical(conditions) === canonical(node.status?.conditions)) return
    await client.replaceStatus(resources.nodes, { ...node, status: { ...node.status, conditions } })
  }

  async function followWithTaints(node: Node): Promise<void> {
    const taints = wantedTaints(node, timestamp(clock.nowMs()))
    if (canonical(taints) === canonical(node.spec?.taints ?? [])) return
    const metadata = { resourceVersion: node.metadata.resourceVersion }
    await client.patch(
      resources.nodes,
      { name: nameOf(node) },
      { type: 'merge', patch: { metadata, spec: { taints } } },
    )
  }

  /** Deletes pods whose toleration is over; milliseconds until the next one is. */
  async function evict(node: Node): Promise<number> {
    const noExecute = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
    let nextMs = Number.POSITIVE_INFINITY
    for (const pod of noExecute.length > 0 ? pods.list() : []) {
      if (pod.spec?.nodeName !== nameOf(node) || isBeingDeleted(pod)) continue
      const leftMs = tolerationLeftMs(pod, noExecute, clock.nowMs())
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs)
      else await deletePod(pod)
    }
    return nextMs
  }

  async function deletePod(pod: Pod): Promise<void> {
    const ref = { namespace: pod.metadata.namespace, name: nameOf(pod) }
    try {
      await client.delete(resources.pods, ref, { preconditions: { uid: pod.metadata.uid } })
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND') && !hasCode(error, 'CONFLICT'))
        throw new Error(`evict ${keyOf(pod)}`, { cause: error })
    }
  }
}

/** The node's own taints and those that follow from its Ready condition. */
export function wantedTaints(node: Node, now: string): Taint[] {
  const others = (node.spec?.taints ?? []).filter(({ key }) => key !== unreachable && key !== notReady)
  const ready = findCondition(node.status?.conditions, 'Ready')
  if (hasCondition(node.status?.conditions, 'Ready')) return others
  const key = ready?.status === 'Unknown' ? unreachable : notReady
  const known = (effect: string) =>
    node.spec?.taints?.find((taint) => taint.key === key && taint.effect === effect)
  const noExecute = { key, effect: 'NoExecute' as const, timeAdded: now }
  return [...others, known('NoSchedule') ?? { key, effect: 'NoSchedule' }, known('NoExecute') ?? noExecute]
}

/** Until the first NoExecute taint that the pod no longer tolerates: 0 or less is now, infinite is never. */
export function tolerationLeftMs(pod: Pod, taints: readonly Taint[], nowMs: number): number {
  return Math.min(
    ...taints.map((taint) => {
      const matching = (pod.spec?.tolerations ?? []).filter(
        ({ key, effect, operator, value }) =>
          (!effect || effect === taint.effect) &&
          (operator === 'Exists'
            ? !key || key === taint.key
            : key === taint.key && (value ?? '') === (taint.value ?? '')),
      )
      if (matching.length === 0) return 0
      const seconds = Math.min(
        ...matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY),
      )
      return Date.parse(taint.timeAdded ?? '') + seconds * 1000 - nowMs
    }),
  )
}
