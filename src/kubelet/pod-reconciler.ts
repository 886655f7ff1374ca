import type { RuntimeService } from '../../cri/service.ts'
import type { ApiClient, Container, Pod } from '../api/index.ts'
import type { Clock, Logger, Outcome } from '../base/index.ts'
import { Backoff } from './backoff.ts'
import { ContainerStarter } from './container-starter.ts'
import { ContainerStopper, type Released } from './container-stopper.ts'
import type { ImagePuller } from './image-puller.ts'
import type { NodeFacts } from './node-facts.ts'
import { PodEnder } from './pod-ender.ts'
import type { PodEvents } from './pod-events.ts'
import { identityOf, isTerminal } from './pod-identity.ts'
import { PodMemory } from './pod-memory.ts'
import { PodReporter } from './pod-reporter.ts'
import type { PodRuntime, PodRuntimeReader } from './pod-runtime.ts'
import type { PodSources } from './pod-sources.ts'
import { PodStarter } from './pod-starter.ts'
import type { Prober } from './prober.ts'
import type { ReferencedObjects } from './referenced-objects.ts'
import type { StatusManager } from './status-manager.ts'
import type { VolumeManager } from './volumes/volume-manager.ts'

export interface PodReconcilerOptions {
  client: ApiClient
  runtime: RuntimeService
  reader: PodRuntimeReader
  images: ImagePuller
  volumes: VolumeManager
  objects: ReferencedObjects
  sources: PodSources
  prober: Prober
  statuses: StatusManager
  events: PodEvents
  released: Released | undefined
  node: NodeFacts
  clock: Clock
  log: Logger
  signal: AbortSignal
  /** The pod that the API wants on this node. */
  desired(uid: string): Pod | undefined
  /** Look at this pod again, soon. */
  again(uid: string): void
}

/**
 * Brings one pod at a time from what the runtime has to what the API wants. A reconcile never waits for anything
 * that may take long: pulls, hooks and stops run beside it and bring the pod back when they are over.
 */
export class PodReconciler {
  readonly #options: PodReconcilerOptions
  readonly #memories = new Map<string, PodMemory>()
  readonly #restarts = new Backoff()
  readonly #reporter: PodReporter
  readonly #starter: PodStarter
  readonly #ender: PodEnder

  constructor(options: PodReconcilerOptions) {
    this.#options = options
    const stopper = new ContainerStopper(options)
    const starter = new ContainerStarter({
      ...options,
      restarts: this.#restarts,
      onHook: (pod, container, runId, failure) => this.#hookEnded(pod, container, runId, failure),
    })
    this.#reporter = new PodReporter({ ...options, stopper })
    const shared = { ...options, stopper, reporter: this.#reporter, restarts: this.#restarts }
    this.#starter = new PodStarter({ ...shared, starter })
    this.#ender = new PodEnder(shared)
  }

  async reconcile(uid: string): Promise<Outcome> {
    const { reader, signal, desired } = this.#options
    const have = await reader.read(uid, { signal })
    const pod = desired(uid)
    if (!pod) {
      await this.#remove(uid, have)
      return undefined
    }
    const memory = this.#memory(uid)
    const look = { uid, pod, have, memory }
    await this.#reporter.readMessages(look)
    if (pod.metadata.deletionTimestamp) return this.#ender.terminate(look)
    if (!isTerminal(pod) && !memory.ended) return this.#starter.converge(look)
    await this.#ender.rest(look)
    return undefined
  }

  /** A ConfigMap or Secret of the pod changed: what failed for want of it may be tried at once. */
  forgive(uid: string): void {
    this.#memories.get(uid)?.forgive()
    this.#options.again(uid)
  }

  /** Fails the pod: this node will not run it. */
  reject(uid: string, reason: string, message: string): void {
    this.#memory(uid).rejected = { reason, message }
    this.#options.again(uid)
  }

  async #remove(uid: string, have: PodRuntime): Promise<void> {
    const { statuses, images, objects } = this.#options
    await this.#ender.remove(uid, have)
    statuses.forget(uid)
    images.forget(uid)
    objects.release(uid)
    this.#restarts.forget(`${uid}/`)
    this.#memories.delete(uid)
  }

  #hookEnded(pod: Pod, { name }: Container, runId: string, failure: string | undefined): void {
    const { events, again } = this.#options
    const { uid } = identityOf(pod)
    const memory = this.#memories.get(uid)
    if (!memory?.inPostStart.delete(runId)) return
    if (failure !== undefined) {
      memory.hookFailed.add(runId)
      events.container(pod, name, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`)
    }
    again(uid)
  }

  #memory(uid: string): PodMemory {
    const memory = this.#memories.get(uid) ?? new PodMemory()
    this.#memories.set(uid, memory)
    return memory
  }
}
