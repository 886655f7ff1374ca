import { type Node, nameOf, type Pod } from '../../api/index.ts'
import { type Amounts, amounts, podRequests, sum } from './requests.ts'

/** A node as scheduling sees it: what it offers, and the pods that are or will be there. */
export class NodeView {
  readonly node: Node
  readonly allocatable: Amounts
  readonly #pods = new Map<string, { pod: Pod; requests: Amounts }>()
  #requested: Amounts | undefined

  constructor(node: Node, pods: Iterable<Pod> = []) {
    this.node = node
    this.allocatable = amounts(node.status?.allocatable ?? node.status?.capacity)
    for (const pod of pods) this.add(pod)
  }

  get name(): string {
    return nameOf(this.node)
  }

  get pods(): Pod[] {
    return [...this.#pods.values()].map(({ pod }) => pod)
  }

  get requested(): Amounts {
    this.#requested ??= sum([...this.#pods.values()].map(({ requests }) => requests))
    return this.#requested
  }

  free(resource: string): number {
    return (this.allocatable.get(resource) ?? 0) - (this.requested.get(resource) ?? 0)
  }

  add(pod: Pod): void {
    this.#pods.set(pod.metadata.uid ?? '', { pod, requests: podRequests(pod) })
    this.#requested = undefined
  }

  remove(pod: Pod): void {
    if (this.#pods.delete(pod.metadata.uid ?? '')) this.#requested = undefined
  }

  /** The same pods on a newer state of the node. */
  renewed(node: Node): NodeView {
    return new NodeView(node, this.pods)
  }
}
