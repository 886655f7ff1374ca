import { mkdir, readdir, rm } from 'node:fs/promises'
import type { Call, RuntimeService } from '../../cri/service.ts'
import type * as cri from '../../cri/types.ts'
import { type ApiClient, type Container, type Pod, type PodStatus, resources } from '../api/index.ts'
import { asKeelsonError, type Clock, hasCode, type Logger, type Outcome } from '../base/index.ts'
import { Backoff } from './backoff.ts'
import { ContainerStarter } from './container-starter.ts'
import { ContainerStopper } from './container-stopper.ts'
import { dnsConfig } from './dns.ts'
import type { ImagePuller } from './image-puller.ts'
import type { NodeFacts } from './node-facts.ts'
import type { PodEvents } from './pod-events.ts'
import { containersOf, identityOf, initContainersOf, isSidecar, isTerminal, podText } from './pod-identity.ts'
import { PodMemory } from './pod-memory.ts'
import { type PlanFacts, type PodPlan, planPod, type Waiting } from './pod-plan.ts'
import {
  type ContainerRun,
  isExited,
  isRunning,
  newestRun,
  type PodRuntime,
  type PodRuntimeReader,
} from './pod-runtime.ts'
import type { PodSources } from './pod-sources.ts'
import { podStatus } from './pod-status.ts'
import type { Prober } from './prober.ts'
import type { ReferencedObjects } from './referenced-objects.ts'
import { sandboxConfig } from './sandbox-config.ts'
import { type StatusManager, withForeignConditions } from './status-manager.ts'
import { readMessage } from './termination-message.ts'
import type { VolumeManager, VolumePlace } from './volumes/volume-manager.ts'

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
  readonly #starter: ContainerStarter
  readonly #stopper: ContainerStopper
  readonly #call: Call

  constructor(options: PodReconcilerOptions) {
    this.#options = options
    this.#call = { signal: options.signal }
    this.#starter = new ContainerStarter({
      ...options,
      restarts: this.#restarts,
      onHook: (pod, container, runId, failure) => this.#hookEnded(pod, container, runId, failure),
    })
    this.#stopper = new ContainerStopper({
      ...options,
      onDone: options.again,
      onHookFailed: ({ pod, run }, detail) =>
        options.events.container(
          pod,
          run.name,
          'Warning',
          'FailedPreStopHook',
          `PreStopHook failed: ${detail}`,
        ),
    })
  }

  async reconcile(uid: string): Promise<Outcome> {
    const have = await this.#options.reader.read(uid, this.#call)
    const pod = this.#options.desired(uid)
    if (!pod) {
      await this.#remove(uid, have)
      return undefined
    }
    await this.#readMessages(uid, have)
    if (pod.metadata.deletionTimestamp) return this.#terminate(uid, pod, have)
    const memory = this.#memory(uid)
    if (isTerminal(pod) || memory.ended) return this.#rest(uid, pod, have)
    return this.#converge(uid, pod, have)
  }

  /** A ConfigMap or Secret of the pod changed. */
  forgive(uid: string): void {
    this.#memories.get(uid)?.forgive()
    this.#options.again(uid)
  }

  /** Fails the pod: this node will not run it. */
  reject(uid: string, reason: string, message: string): void {
    this.#memory(uid).rejected = { reason, message }
    this.#options.again(uid)
  }

  // ---- towards running

  async #converge(uid: string, pod: Pod, found: PodRuntime): Promise<Outcome> {
    const memory = this.#memory(uid)
    const { objects, reader } = this.#options
    if (memory.rejected) return this.#show(uid, pod, found, new Map(), undefined)
    if (!objects.acquire(uid, pod)) return this.#show(uid, pod, found, new Map(), undefined)
    const volumes = await this.#volumes(uid, pod)
    if (!volumes.places) return this.#show(uid, pod, found, new Map(), volumes.afterMs)
    let have = found
    this.#probe(uid, pod, have)
    let plan = planPod(pod, have, this.#facts(memory))
    this.#stop(uid, pod, have, plan)
    if (plan.sandbox.do === 'create') {
      const failed = await this.#createSandbox(uid, pod, have, plan.sandbox.attempt)
      if (failed) return this.#show(uid, pod, have, plan.waiting, failed.afterMs)
      have = await reader.read(uid, this.#call)
      plan = planPod(pod, have, this.#facts(memory))
    }
    const started = await this.#start(uid, pod, have, plan, volumes.places)
    if (started.any) have = await reader.read(uid, this.#call)
    this.#probe(uid, pod, have)
    await this.#sweep(have)
    return this.#show(uid, pod, have, plan.waiting, earliest(plan.afterMs, started.afterMs))
  }

  async #volumes(
    uid: string,
    pod: Pod,
  ): Promise<{ places: Map<string, VolumePlace>; afterMs?: never } | { places?: never; afterMs: number }> {
    const memory = this.#memory(uid)
    const { volumes, sources, events, clock } = this.#options
    try {
      const places = await volumes.prepare(pod, sources.environment(pod, []))
      memory.volumesFailedMs = undefined
      memory.places = places
      return { places }
    } catch (error) {
      const nowMs = clock.nowMs()
      memory.retries.next(volumesKey, memory.volumesFailedMs ?? nowMs, nowMs)
      memory.volumesFailedMs = nowMs
      events.pod(pod, 'Warning', 'FailedMount', asKeelsonError(error).message)
      // An object that went away under a running pod leaves the files as they were.
      if (memory.places) return { places: memory.places }
      return { afterMs: memory.retries.delayMs(volumesKey) }
    }
  }

  async #createSandbox(
    uid: string,
    pod: Pod,
    have: PodRuntime,
    attempt: number,
  ): Promise<{ afterMs: number } | undefined> {
    const { runtime, events, clock } = this.#options
    const memory = this.#memory(uid)
    const config = this.#sandboxConfig(pod, attempt)
    const waitMs = memory.retries.remainingMs(sandboxKey, memory.sandboxFailedMs ?? 0, clock.nowMs())
    if (memory.sandboxFailedMs !== undefined && waitMs > 0) return { afterMs: waitMs }
    for (const { id, ready } of have.sandboxes)
      if (!ready) await runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
    // A pull needs no sandbox: it begins now, and runs while the sandbox is made.
    const pulls = Promise.all(
      [...initContainersOf(pod), ...containersOf(pod)]
        .filter(({ name }) => !newestRun(have, name))
        .map((container) => this.#starter.prepareImage(pod, container, config)),
    )
    try {
      await mkdir(config.logDirectory, { recursive: true, mode: 0o755 })
      await runtime.runPodSandbox({ config, runtimeHandler: '' }, this.#call)
      memory.sandboxFailedMs = undefined
      return undefined
    } catch (error) {
      this.#options.signal.throwIfAborted()
      const nowMs = clock.nowMs()
      memory.retries.next(sandboxKey, memory.sandboxFailedMs ?? nowMs, nowMs)
      memory.sandboxFailedMs = nowMs
      const { message } = asKeelsonError(error)
      events.pod(pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`)
      return { afterMs: memory.retries.delayMs(sandboxKey) }
    } finally {
      await pulls
    }
  }

  async #start(
    uid: string,
    pod: Pod,
    have: PodRuntime,
    plan: PodPlan,
    places: ReadonlyMap<string, VolumePlace>,
  ): Promise<{ any: boolean; afterMs?: number | undefined }> {
    const sandbox = have.sandboxes[0]
    if (plan.sandbox.do !== 'keep' || !sandbox) return { any: false }
    const memory = this.#memory(uid)
    let any = false
    let afterMs: number | undefined
    for (const step of plan.start) {
      if (this.#isGoing(uid)) break
      const before = step.existing ? undefined : newestRun(have, step.container.name)
      const config = this.#sandboxConfig(pod, sandbox.attempt)
      const request = { pod, step, before, sandbox, sandboxConfig: config, places, memory }
      const outcome = await this.#starter.start(request)
      if (outcome.state === 'started') {
        any = true
        if (step.container.lifecycle?.postStart) break
      } else {
        plan.waiting.set(step.container.name, outcome.waiting)
        afterMs = earliest(afterMs, outcome.afterMs)
      }
    }
    return { any, afterMs }
  }

  /** The pod was deleted while we worked on it: nothing more is begun. */
  #isGoing(uid: string): boolean {
    const pod = this.#options.desired(uid)
    return !pod || pod.metadata.deletionTimestamp !== undefined
  }

  #stop(uid: string, pod: Pod, have: PodRuntime, plan: PodPlan): void {
    const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
    for (const { run, message } of plan.stop) {
      if (this.#stopper.isStopping(run)) continue
      this.#options.events.container(pod, run.name, 'Normal', 'Killing', message)
      this.#stopRun(uid, pod, have, run, graceMs)
    }
  }

  #stopRun(uid: string, pod: Pod, have: PodRuntime, run: ContainerRun, graceMs: number): void {
    const container = [...initContainersOf(pod), ...containersOf(pod)].find(({ name }) => name === run.name)
    this.#stopper.stop({ uid, pod, container, run, graceMs, podIP: have.sandboxes[0]?.ips[0] })
  }

  #hookEnded(pod: Pod, container: Container, runId: string, failure: string | undefined): void {
    const { uid } = identityOf(pod)
    const memory = this.#memories.get(uid)
    if (!memory?.inPostStart.delete(runId)) return
    if (failure !== undefined) {
      memory.hookFailed.add(runId)
      const message = `PostStartHook failed: ${failure}`
      this.#options.events.container(pod, container.name, 'Warning', 'FailedPostStartHook', message)
    }
    this.#options.again(uid)
  }

  // ---- towards an end

  /** A deleted pod: its containers get their grace period, then the API server is told that all is over. */
  async #terminate(uid: string, pod: Pod, found: PodRuntime): Promise<Outcome> {
    const { reader, statuses, client, node } = this.#options
    const memory = this.#memory(uid)
    if (memory.removed) return undefined
    let have = found
    const running = have.containers.filter(isRunning)
    if (running.length > 0) {
      this.#stopForGood(uid, pod, have, running)
      return this.#show(uid, pod, have, new Map(), undefined)
    }
    for (const { id, ready } of have.sandboxes)
      if (ready) await this.#options.runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
    have = await reader.read(uid, this.#call)
    if (have.containers.some(isRunning)) return { afterMs: 0 }
    memory.ended = true
    this.#show(uid, pod, have, new Map(), undefined)
    await statuses.flushed(uid)
    const { name, namespace } = identityOf(pod)
    const options = { gracePeriodSeconds: 0, preconditions: { uid } }
    try {
      await client.delete(resources.pods, { name, namespace }, options)
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND') && !hasCode(error, 'CONFLICT')) throw error
    }
    memory.removed = true
    this.#options.log.debug('pod ended', { pod: podText(identityOf(pod)), node: node.nodeName })
    return undefined
  }

  /** Ordinary containers first and together; then the sidecars, the last one first. */
  #stopForGood(uid: string, pod: Pod, have: PodRuntime, running: readonly ContainerRun[]): void {
    const sidecars = initContainersOf(pod)
      .filter(isSidecar)
      .map(({ name }) => running.find((run) => run.name === name))
      .filter((run) => run !== undefined)
    const ordinary = running.filter((run) => !sidecars.includes(run))
    const graceMs = this.#graceLeftMs(pod)
    const last = sidecars.at(-1)
    for (const run of ordinary.length > 0 ? ordinary : last ? [last] : []) {
      if (!this.#stopper.isStopping(run))
        this.#options.events.container(pod, run.name, 'Normal', 'Killing', `Stopping container ${run.name}`)
      this.#stopRun(uid, pod, have, run, graceMs)
    }
  }

  /** deletionTimestamp is when the grace period ends; it is never longer than the one asked for. */
  #graceLeftMs(pod: Pod): number {
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
    const graceMs = (deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
    if (deletionTimestamp === undefined) return graceMs
    const leftMs = Date.parse(deletionTimestamp) - this.#options.clock.nowMs()
    return Math.min(graceMs, Math.max(0, leftMs))
  }

  /** A pod whose containers all ended keeps them for their logs, but neither sandbox nor sidecars. */
  async #rest(uid: string, pod: Pod, found: PodRuntime): Promise<Outcome> {
    const running = found.containers.filter(isRunning)
    if (running.length > 0) {
      this.#stopForGood(uid, pod, found, running)
      return undefined
    }
    this.#options.prober.keep(uid, new Set())
    for (const { id, ready } of found.sandboxes)
      if (ready) await this.#options.runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
    return undefined
  }

  /** No such pod any more: whatever of it is left goes at once, history and data included. */
  async #remove(uid: string, have: PodRuntime): Promise<void> {
    const { runtime, reader, prober, statuses, images, volumes, objects } = this.#options
    prober.keep(uid, new Set())
    for (const run of have.containers.filter(isRunning)) {
      const timeout = this.#stopper.isStopping(run) ? 0n : orphanGraceSeconds
      await runtime.stopContainer({ containerId: run.id, timeout }, this.#call)
    }
    for (const { id } of have.sandboxes) {
      await runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
      await runtime.removePodSandbox({ podSandboxId: id }, this.#call)
    }
    reader.forget(have)
    statuses.forget(uid)
    images.forget(uid)
    objects.release(uid)
    this.#restarts.forget(`${uid}/`)
    this.#memories.delete(uid)
    await volumes.remove(uid)
    await this.#removeLogs(uid)
  }

  async #removeLogs(uid: string): Promise<void> {
    const { logsDirectory } = this.#options.node
    const names = await readdir(logsDirectory).catch(() => [])
    for (const name of names)
      if (name.endsWith(`_${uid}`)) await rm(`${logsDirectory}/${name}`, { recursive: true, force: true })
  }

  // ---- what is seen

  /** Computes the status from what there is and hands it on; the pod that ended is looked at once more. */
  #show(
    uid: string,
    pod: Pod,
    have: PodRuntime,
    waiting: ReadonlyMap<string, Waiting>,
    afterMs: number | undefined,
  ): Outcome {
    const memory = this.#memory(uid)
    const { statuses, prober, node, clock } = this.#options
    const wanted = statuses.wanted(uid)
    const before = wanted ? { ...pod, status: withForeignConditions(wanted, pod) } : pod
    const status = podStatus(before, have, {
      nowMs: clock.nowMs(),
      hostIPs: node.hostIPs,
      runtimeName: node.runtimeName,
      waiting,
      ended: memory.ended,
      ...(memory.rejected ? { rejected: memory.rejected } : {}),
      started: (run) => prober.started(run) && !memory.inPostStart.has(run.id),
      ready: (run) => prober.ready(run) && !memory.inPostStart.has(run.id),
      startFailed: (run) => memory.startFailed.has(run.id),
      message: (run) => memory.startFailed.get(run.id) ?? memory.messages.get(run.id),
    })
    statuses.set(uid, pod, status)
    if (isOver(status) && !memory.ended) {
      memory.ended = true
      this.#options.again(uid)
    }
    return afterMs === undefined ? undefined : { afterMs }
  }

  #probe(uid: string, pod: Pod, have: PodRuntime): void {
    const { prober } = this.#options
    const running = have.containers.filter((run) => isRunning(run) && !this.#stopper.isStopping(run))
    prober.keep(uid, new Set(running.map(({ id }) => id)))
    for (const run of running) {
      const container = [...initContainersOf(pod), ...containersOf(pod)].find(({ name }) => name === run.name)
      const podIP = pod.spec.hostNetwork ? this.#options.node.hostIPs[0] : have.sandboxes[0]?.ips[0]
      if (container) prober.watch(uid, pod, container, run, podIP)
    }
  }

  /** Of each container the newest run and the one before it stay; sandboxes that hold neither go. */
  async #sweep(have: PodRuntime): Promise<void> {
    const { runtime } = this.#options
    const seen = new Map<string, number>()
    const kept = new Set<string>()
    for (const run of have.containers) {
      const count = (seen.get(run.name) ?? 0) + 1
      seen.set(run.name, count)
      if (count <= 2 || isRunning(run)) kept.add(run.sandboxId)
      else await runtime.removeContainer({ containerId: run.id }, this.#call)
    }
    for (const { id, ready } of have.sandboxes.slice(1))
      if (!ready && !kept.has(id)) await runtime.removePodSandbox({ podSandboxId: id }, this.#call)
  }

  async #readMessages(uid: string, have: PodRuntime): Promise<void> {
    const { messages } = this.#memory(uid)
    for (const run of have.containers)
      if (isExited(run) && !messages.has(run.id)) messages.set(run.id, await readMessage(run))
  }

  #facts(memory: PodMemory): PlanFacts {
    const { prober, clock } = this.#options
    return {
      nowMs: clock.nowMs(),
      restarts: this.#restarts,
      started: (run) => prober.started(run) && !memory.inPostStart.has(run.id),
      inPostStart: (run) => memory.inPostStart.has(run.id),
      startFailed: (run) => memory.startFailed.has(run.id),
      unhealthy: (run) => (memory.hookFailed.has(run.id) ? 'failed PostStartHook' : prober.unhealthy(run)),
    }
  }

  #sandboxConfig(pod: Pod, attempt: number): cri.PodSandboxConfig {
    const { node } = this.#options
    const dns = dnsConfig(pod, node.clusterDns, node.resolvConf)
    return sandboxConfig(pod, attempt, { ...node, dns })
  }

  #memory(uid: string): PodMemory {
    const memory = this.#memories.get(uid) ?? new PodMemory()
    this.#memories.set(uid, memory)
    return memory
  }
}

const volumesKey = ' volumes' // no container name has a space
const sandboxKey = ' sandbox'
/** Seconds that containers get whose pod is gone from the API. */
const orphanGraceSeconds = 1n

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}

function isOver({ phase }: PodStatus): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}
