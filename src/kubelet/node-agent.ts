import { isDeepStrictEqual } from 'node:util'
import type { ImageService, RuntimeService } from '../../cri/service.ts'
import {
  type ApiClient,
  type ContainerImage,
  microTimestamp,
  type Node,
  type NodeAddress,
  type NodeStatus,
  type NodeSystemInfo,
  resources,
  timestamp,
} from '../api/index.ts'
import { type Clock, hasCode, type Logger } from '../base/index.ts'
import {
  notReady,
  pressureConditions,
  readyCondition,
  withFindings,
  withoutHeartbeats,
} from './node-status.ts'

export interface NodeAgentOptions {
  client: ApiClient
  runtime: RuntimeService
  image: ImageService
  clock: Clock
  log: Logger
  nodeName: string
  addresses: readonly NodeAddress[]
  labels: Readonly<Record<string, string>>
  resources: Record<string, string>
  nodeInfo: NodeSystemInfo
  dataDirectory: string
  kubeletPort: number
}

const heartbeatMs = 10_000
const reportAtLeastMs = 300_000
const leaseSeconds = 40
const imagesMax = 50
const leaseNamespace = 'kube-node-lease'

/**
 * The node's own objects: registers the Node, keeps its status true (looked at every 10 s, written when something
 * changed or 5 minutes passed) and renews its Lease every 10 s, which is what the rest of the cluster takes as a
 * sign of life.
 */
export class NodeAgent {
  readonly #options: NodeAgentOptions
  #node: Node | undefined
  #reportedMs = Number.NEGATIVE_INFINITY
  #podCidr: string | undefined
  #running: Promise<void> = Promise.resolve()
  #leaseKnown = false

  constructor(options: NodeAgentOptions) {
    this.#options = options
  }

  /** Registers and reports once, then goes on beside the caller until the signal is aborted. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#untilDone('register node', signal, () => this.#register(signal))
    await this.#untilDone('report node', signal, () => this.#report(signal))
    this.#running = this.#loop(signal)
  }

  /** Tells the cluster that this node does not run pods any more; for an orderly stop. */
  async stop(reason: string): Promise<void> {
    await this.#running
    const node = await this.#options.client.find(resources.nodes, { name: this.#options.nodeName })
    if (!node) return
    const { clock } = this.#options
    const conditions = withFindings(node, [notReady(reason)], timestamp(clock.nowMs()), clock.nowMs())
    await this.#options.client.replaceStatus(resources.nodes, {
      ...node,
      status: { ...node.status, conditions },
    })
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt('renew lease', signal, () => this.#renewLease(signal))
      await this.#attempt('report node', signal, () => this.#report(signal))
      await this.#options.clock.sleep(heartbeatMs, signal).catch(() => undefined)
    }
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, nodeName, labels } = this.#options
    const found = await client.find(resources.nodes, { name: nodeName }, { signal })
    const wanted = { ...standardLabels(this.#options), ...labels }
    if (!found) {
      const node: Node = { metadata: { name: nodeName, labels: wanted }, spec: {} }
      this.#node = await client.create(resources.nodes, node, { signal })
      return
    }
    const merged = { ...found.metadata.labels, ...wanted }
    this.#node = isDeepStrictEqual(found.metadata.labels, merged)
      ? found
      : await client.patch(
          resources.nodes,
          { name: nodeName },
          { type: 'merge', patch: { metadata: { labels: merged } } },
          { signal },
        )
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { client, clock, nodeName } = this.#options
    const node = this.#node ?? (await client.get(resources.nodes, { name: nodeName }, { signal }))
    const status = await this.#status(node, signal)
    const changed = !isDeepStrictEqual(withoutHeartbeats(status), withoutHeartbeats(node.status))
    if (!changed && clock.monotonicMs() - this.#reportedMs < reportAtLeastMs) return
    try {
      this.#node = await client.replaceStatus(resources.nodes, { ...node, status }, { signal })
      this.#reportedMs = clock.monotonicMs()
    } catch (error) {
      this.#node = undefined // somebody else wrote it, or it is gone: look again next time
      if (hasCode(error, 'NOT_FOUND')) await this.#register(signal)
      throw error
    }
    await this.#configureNetwork(this.#node, signal)
  }

  async #status(node: Node, signal: AbortSignal): Promise<NodeStatus> {
    const { clock, runtime, dataDirectory, addresses, nodeInfo, kubeletPort } = this.#options
    const findings = [...(await pressureConditions(dataDirectory)), await readyCondition(runtime, signal)]
    return {
      ...node.status,
      capacity: this.#options.resources,
      allocatable: this.#options.resources,
      conditions: withFindings(node, findings, timestamp(clock.nowMs()), clock.nowMs()),
      addresses: [...addresses],
      daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
      nodeInfo,
      images: await this.#images(signal),
    }
  }

  async #images(signal: AbortSignal): Promise<ContainerImage[]> {
    const { images } = await this.#options.image
      .listImages({ filter: undefined }, { signal })
      .catch(() => ({ images: [] }))
    return images
      .map(({ repoTags, repoDigests, size }) => ({
        names: [...repoDigests, ...repoTags].slice(0, 5),
        sizeBytes: Number(size),
      }))
      .filter(({ names }) => names.length > 0)
      .sort((a, b) => b.sizeBytes - a.sizeBytes || ((a.names[0] ?? '') < (b.names[0] ?? '') ? -1 : 1))
      .slice(0, imagesMax)
  }

  /** The control plane gave the node its pod range: the runtime's network learns it. */
  async #configureNetwork(node: Node, signal: AbortSignal): Promise<void> {
    const podCidr = node.spec?.podCIDR
    if (!podCidr || podCidr === this.#podCidr) return
    await this.#options.runtime.updateRuntimeConfig(
      { runtimeConfig: { networkConfig: { podCidr } } },
      { signal },
    )
    this.#podCidr = podCidr
  }

  async #renewLease(signal: AbortSignal): Promise<void> {
    const { client, clock, nodeName } = this.#options
    const ref = { namespace: leaseNamespace, name: nodeName }
    const spec = {
      holderIdentity: nodeName,
      leaseDurationSeconds: leaseSeconds,
      renewTime: microTimestamp(clock.nowMs()),
    }
    if (this.#leaseKnown) {
      try {
        await client.patch(resources.leases, ref, { type: 'merge', patch: { spec } }, { signal })
        return
      } catch (error) {
        if (!hasCode(error, 'NOT_FOUND')) throw error
      }
    }
    const uid = this.#node?.metadata.uid
    const owner = uid === undefined ? [] : [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }]
    try {
      await client.create(
        resources.leases,
        { metadata: { ...ref, ownerReferences: owner }, spec },
        { signal },
      )
    } catch (error) {
      if (!hasCode(error, 'ALREADY_EXISTS')) throw error
      await client.patch(resources.leases, ref, { type: 'merge', patch: { spec } }, { signal })
    }
    this.#leaseKnown = true
  }

  /** At start nothing goes on without it: tries again, waiting 100 ms, doubling to 10 s. */
  async #untilDone(what: string, signal: AbortSignal, action: () => Promise<void>): Promise<void> {
    for (
      let waitMs = 100;
      !(await this.#attempt(what, signal, action));
      waitMs = Math.min(10_000, waitMs * 2)
    )
      await this.#options.clock.sleep(waitMs, signal)
  }

  /** A conflict means that somebody wrote the node meanwhile (the node controller's taints): look and write again. */
  async #attempt(
    what: string,
    signal: AbortSignal,
    action: () => Promise<void>,
    conflictsMax = 3,
  ): Promise<boolean> {
    try {
      await action()
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (conflictsMax > 0 && hasCode(error, 'CONFLICT'))
        return this.#attempt(what, signal, action, conflictsMax - 1)
      this.#options.log.warn(`could not ${what}`, { node: this.#options.nodeName, error })
      return false
    }
  }
}

function standardLabels({ nodeName, nodeInfo }: NodeAgentOptions): Record<string, string> {
  return {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': nodeInfo.operatingSystem,
    'kubernetes.io/arch': nodeInfo.architecture,
  }
}
