import {
  type ApiClient,
  findCondition,
  Informer,
  isBeingDeleted,
  keyOf,
  type Node,
  nameOf,
  type ObjectKey,
  type Pod,
  type PodCondition,
  resources,
  withCondition,
} from '../../api/index.ts'
import { type Clock, hasCode, type Logger, WorkQueue } from '../../base/index.ts'
import { whyNot } from './filters.ts'
import { NodeView } from './node-view.ts'
import { scoreOf } from './score.ts'

/**
 * Gives each unbound pod a node: filter, score, bind.
 *
 *   pod without nodeName ──▶ queue ──▶ filter ──▶ score ──▶ assume ──▶ bind
 *                              ▲          │ none fits                    │ refused
 *                              │          ▼                              ▼
 *                              └── unschedulable ◀── node or pod changed, forget
 *
 * A decision is assumed at once, so that the next pod is placed beside it before the binding is seen to have
 * happened. A pod that fits nowhere waits, with a condition and an event that say why, until a node changes or a
 * pod goes; nothing is tried on a timer.
 */
export interface SchedulerOptions {
  client: ApiClient
  clock: Clock
  log: Logger
  signal: AbortSignal
  record: RecordEvent
  schedulerName?: string
}

/** Writes a v1 Event about a pod. */
export type RecordEvent = (
  pod: Pod,
  event: { type: 'Normal' | 'Warning'; reason: string; message: string },
) => void

export class Scheduler implements AsyncDisposable {
  readonly #options: SchedulerOptions
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #views = new Map<string, NodeView>()
  /** Where pods were put, by uid: bound ones and those whose binding is under way. */
  readonly #places = new Map<string, string>()
  readonly #unschedulable = new Set<ObjectKey>()
  readonly #queue: WorkQueue<ObjectKey>
  #turn = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { client, clock, log } = options
    this.#pods = new Informer({ client, clock, log, type: resources.pods })
    this.#nodes = new Informer({ client, clock, log, type: resources.nodes })
    this.#queue = new WorkQueue<ObjectKey>({
      clock,
      concurrency: 16,
      backoffMinMs: 50,
      backoffMaxMs: 10_000,
      worker: (key) => this.#schedule(key),
      onError: (key, error, attempt) => log.warn('scheduling failed', { pod: key, error, attempt }),
    })
  }

  async start(): Promise<void> {
    const { signal } = this.#options
    this.#nodes.onChange(({ type, object }) => this.#seeNode(type === 'removed', object))
    this.#pods.onChange(({ type, object }) => this.#seePod(type === 'removed', object))
    this.#nodes.start(signal)
    await this.#nodes.synced
    this.#pods.start(signal)
    await this.#pods.synced
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close()
    if (this.#options.signal.aborted) await Promise.all([this.#pods.stopped(), this.#nodes.stopped()])
  }

  #seeNode(removed: boolean, node: Node): void {
    const name = nameOf(node)
    if (removed) this.#views.delete(name)
    else this.#views.set(name, this.#views.get(name)?.renewed(node) ?? new NodeView(node, this.#podsOn(name)))
    if (!removed) this.#retryUnschedulable()
  }

  #seePod(removed: boolean, pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    const ended = removed || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (ended) {
      this.#unplace(pod)
      this.#unschedulable.delete(keyOf(pod))
      this.#retryUnschedulable()
    } else if (pod.spec?.nodeName) {
      this.#place(pod, pod.spec.nodeName)
      this.#unschedulable.delete(keyOf(pod))
    } else if (this.#isMine(pod) && !this.#places.has(uid)) this.#queue.add(keyOf(pod))
  }

  #isMine(pod: Pod): boolean {
    const name = pod.spec?.schedulerName ?? 'default-scheduler'
    const gated = (pod.spec?.schedulingGates ?? []).length > 0
    return name === (this.#options.schedulerName ?? 'default-scheduler') && !isBeingDeleted(pod) && !gated
  }

  #retryUnschedulable(): void {
    const keys = [...this.#unschedulable]
    this.#unschedulable.clear() // before: whoever fits nowhere again is back in it within `add`
    for (const key of keys) this.#queue.add(key)
  }

  #podsOn(nodeName: string): Pod[] {
    return this.#pods.list().filter((pod) => pod.spec?.nodeName === nodeName)
  }

  #place(pod: Pod, nodeName: string): void {
    const before = this.#places.get(pod.metadata.uid ?? '')
    if (before && before !== nodeName) this.#views.get(before)?.remove(pod)
    this.#places.set(pod.metadata.uid ?? '', nodeName)
    this.#views.get(nodeName)?.add(pod)
  }

  #unplace(pod: Pod): void {
    const nodeName = this.#places.get(pod.metadata.uid ?? '')
    this.#places.delete(pod.metadata.uid ?? '')
    if (nodeName) this.#views.get(nodeName)?.remove(pod)
  }

  async #schedule(key: ObjectKey): Promise<void> {
    const pod = this.#pods.get(key)
    if (!pod || pod.spec?.nodeName || !this.#isMine(pod) || this.#places.has(pod.metadata.uid ?? '')) return
    const reasons = new Map<string, number>()
    const fitting = [...this.#views.values()].filter((view) => {
      const reason = whyNot(pod, view)
      if (reason !== undefined)
        for (const one of reason.split(', ')) reasons.set(one, (reasons.get(one) ?? 0) + 1)
      return reason === undefined
    })
    const best = this.#best(pod, fitting)
    if (best) await this.#bind(pod, best)
    else await this.#giveUp(pod, unschedulableMessage(this.#views.size, reasons))
  }

  /** Highest score; equals take turns, so that a row of like pods spreads over like nodes. */
  #best(pod: Pod, views: readonly NodeView[]): NodeView | undefined {
    const scored = views.map((view) => ({ view, score: scoreOf(pod, view) }))
    const highest = Math.max(...scored.map(({ score }) => score))
    const equals = scored.filter(({ score }) => score === highest)
    return equals[this.#turn++ % Math.max(1, equals.length)]?.view
  }

  async #bind(pod: Pod, view: NodeView): Promise<void> {
    this.#place(pod, view.name)
    const { namespace, uid } = pod.metadata
    const name = nameOf(pod)
    const target = { apiVersion: 'v1', kind: 'Node', name: view.name }
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { namespace, name, uid }, target }
    try {
      await this.#options.client.postSubresource(resources.pods, { namespace, name }, 'binding', binding)
    } catch (error) {
      this.#unplace(pod)
      if (hasCode(error, 'NOT_FOUND') || hasCode(error, 'CONFLICT')) return // gone, or bound by somebody else: the watch tells
      throw error
    }
    const message = `Successfully assigned ${namespace}/${name} to ${view.name}`
    this.#options.record(pod, { type: 'Normal', reason: 'Scheduled', message })
  }

  async #giveUp(pod: Pod, message: string): Promise<void> {
    this.#unschedulable.add(keyOf(pod))
    const known = findCondition(pod.status?.conditions, 'PodScheduled')
    if (known?.status === 'False' && known.message === message) return
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
    }
    const conditions = withCondition(pod.status?.conditions, condition, this.#options.clock.nowMs())
    const ref = { namespace: pod.metadata.namespace, name: nameOf(pod) }
    const { uid, resourceVersion } = pod.metadata
    const patch = { metadata: { uid, resourceVersion }, status: { conditions } }
    await this.#options.client.patch(resources.pods, ref, { type: 'merge', patch }, { subresource: 'status' })
    this.#options.record(pod, { type: 'Warning', reason: 'FailedScheduling', message })
  }
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function unschedulableMessage(nodeCount: number, reasons: ReadonlyMap<string, number>): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods'
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return `0/${nodeCount} nodes are available: ${parts.join(', ')}.`
}
