import { mkdir } from 'node:fs/promises'
import type { Call, RuntimeService } from '../../cri/service.ts'
import type * as cri from '../../cri/types.ts'
import type { Pod } from '../api/index.ts'
import { asKeelsonError, type Clock, type Outcome } from '../base/index.ts'
import type { Backoff } from './backoff.ts'
import type { ContainerStarter } from './container-starter.ts'
import type { ContainerStopper } from './container-stopper.ts'
import { dnsConfig } from './dns.ts'
import type { NodeFacts } from './node-facts.ts'
import type { PodEvents } from './pod-events.ts'
import { containersOf, initContainersOf } from './pod-identity.ts'
import { earliest, type PodLook } from './pod-look.ts'
import { type PlanFacts, type PodPlan, planPod } from './pod-plan.ts'
import type { PodReporter } from './pod-reporter.ts'
import { isRunning, newestRun, type PodRuntime, type PodRuntimeReader } from './pod-runtime.ts'
import type { PodSources } from './pod-sources.ts'
import type { ReferencedObjects } from './referenced-objects.ts'
import { sandboxConfig } from './sandbox-config.ts'
import type { VolumeManager, VolumePlace } from './volumes/volume-manager.ts'

export interface PodStarterOptions {
  runtime: RuntimeService
  reader: PodRuntimeReader
  starter: ContainerStarter
  stopper: ContainerStopper
  reporter: PodReporter
  restarts: Backoff
  volumes: VolumeManager
  objects: ReferencedObjects
  sources: PodSources
  events: PodEvents
  node: NodeFacts
  clock: Clock
  signal: AbortSignal
  /** The pod that the API wants on this node. */
  desired(uid: string): Pod | undefined
}

const volumesKey = ' volumes' // no container name has a space
const sandboxKey = ' sandbox'

type Volumes = { places: ReadonlyMap<string, VolumePlace> } | { places: undefined; afterMs: number }

/** Brings a wanted pod to run: volumes, sandbox, containers, as the plan says. */
export class PodStarter {
  readonly #options: PodStarterOptions
  readonly #call: Call

  constructor(options: PodStarterOptions) {
    this.#options = options
    this.#call = { signal: options.signal }
  }

  async converge(found: PodLook): Promise<Outcome> {
    const { objects, reader, reporter } = this.#options
    const { uid, pod, memory } = found
    if (memory.rejected || !objects.acquire(uid, pod)) return reporter.settle(found, new Map(), undefined)
    const volumes = await this.#volumes(found)
    if (!volumes.places) return reporter.settle(found, new Map(), volumes.afterMs)
    let look = found
    reporter.probe(look)
    let plan = planPod(pod, look.have, this.#facts(look))
    this.#stop(look, plan)
    if (plan.sandbox.do === 'create') {
      const failed = await this.#createSandbox(look, plan.sandbox.attempt)
      if (failed) return reporter.settle(look, plan.waiting, failed.afterMs)
      look = { ...look, have: await reader.read(uid, this.#call) }
      plan = planPod(pod, look.have, this.#facts(look))
    }
    const started = await this.#start(look, plan, volumes.places)
    if (started.any) look = { ...look, have: await reader.read(uid, this.#call) }
    reporter.probe(look)
    const outcome = reporter.settle(look, plan.waiting, earliest(plan.afterMs, started.afterMs))
    await this.#sweep(look.have) // after the status: nobody waits for the dead
    return outcome
  }

  async #volumes({ pod, memory }: PodLook): Promise<Volumes> {
    const { volumes, sources, events, clock } = this.#options
    try {
      memory.places = await volumes.prepare(pod, sources.environment(pod, []))
      memory.volumesFailedMs = undefined
      return { places: memory.places }
    } catch (error) {
      const nowMs = clock.nowMs()
      memory.retries.next(volumesKey, memory.volumesFailedMs ?? nowMs, nowMs)
      memory.volumesFailedMs = nowMs
      events.pod(pod, 'Warning', 'FailedMount', asKeelsonError(error).message)
      // An object that went away under a running pod leaves its files as they were.
      if (memory.places) return { places: memory.places }
      return { places: undefined, afterMs: memory.retries.delayMs(volumesKey) }
    }
  }

  /** Undefined when there is a sandbox now, else when to try again. */
  async #createSandbox(look: PodLook, attempt: number): Promise<{ afterMs: number } | undefined> {
    const { runtime, clock, signal } = this.#options
    const { pod, have, memory } = look
    const failedMs = memory.sandboxFailedMs ?? 0
    const waitMs = memory.retries.remainingMs(sandboxKey, failedMs, clock.nowMs())
    if (memory.sandboxFailedMs !== undefined && waitMs > 0) return { afterMs: waitMs }
    const config = this.#sandboxConfig(pod, attempt)
    // A pull needs no sandbox: it begins now, and runs while the sandbox is made.
    const pulls = this.#prepareImages(look, config)
    try {
      for (const { id, ready } of have.sandboxes)
        if (!ready) await runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
      await mkdir(config.logDirectory, { recursive: true, mode: 0o755 })
      await runtime.runPodSandbox({ config, runtimeHandler: '' }, this.#call)
      memory.sandboxFailedMs = undefined
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      return this.#sandboxFailed(look, asKeelsonError(error).message)
    } finally {
      await pulls
    }
  }

  async #prepareImages({ pod, have }: PodLook, config: cri.PodSandboxConfig): Promise<void> {
    const fresh = [...initContainersOf(pod), ...containersOf(pod)].filter(
      ({ name }) => !newestRun(have, name),
    )
    const prepared = fresh.map((container) => this.#options.starter.prepareImage(pod, container, config))
    await Promise.allSettled(prepared) // what is wrong is said when the container is started
  }

  #sandboxFailed({ pod, memory }: PodLook, message: string): { afterMs: number } {
    const nowMs = this.#options.clock.nowMs()
    memory.retries.next(sandboxKey, memory.sandboxFailedMs ?? nowMs, nowMs)
    memory.sandboxFailedMs = nowMs
    const text = `Failed to create pod sandbox: ${message}`
    this.#options.events.pod(pod, 'Warning', 'FailedCreatePodSandBox', text)
    return { afterMs: memory.retries.delayMs(sandboxKey) }
  }

  async #start(
    look: PodLook,
    plan: PodPlan,
    places: ReadonlyMap<string, VolumePlace>,
  ): Promise<{ any: boolean; afterMs: number | undefined }> {
    const { pod, have, memory, uid } = look
    const [sandbox] = have.sandboxes
    let any = false
    let afterMs: number | undefined
    if (plan.sandbox.do !== 'keep' || !sandbox) return { any, afterMs }
    const config = this.#sandboxConfig(pod, sandbox.attempt)
    for (const step of plan.start) {
      if (this.#isGoing(uid)) break
      const before = step.existing ? undefined : newestRun(have, step.container.name)
      const request = { pod, step, before, sandbox, sandboxConfig: config, places, memory }
      const outcome = await this.#options.starter.start(request)
      if (outcome.state === 'waiting') {
        plan.waiting.set(step.container.name, outcome.waiting)
        afterMs = earliest(afterMs, outcome.afterMs)
        continue
      }
      any = true
      if (step.container.lifecycle?.postStart) break
    }
    return { any, afterMs }
  }

  /** The pod was deleted while we worked on it: nothing more is begun. */
  #isGoing(uid: string): boolean {
    const pod = this.#options.desired(uid)
    return !pod || pod.metadata.deletionTimestamp !== undefined
  }

  #stop(look: PodLook, plan: PodPlan): void {
    const { stopper } = this.#options
    const graceMs = (look.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000
    for (const { run, message } of plan.stop)
      if (!stopper.isStopping(run)) stopper.stop(look, run, graceMs, message)
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

  #facts(look: PodLook): PlanFacts {
    const { reporter, clock, restarts } = this.#options
    const { memory } = look
    return {
      nowMs: clock.nowMs(),
      restarts,
      started: (run) => reporter.started(look, run),
      inPostStart: (run) => memory.inPostStart.has(run.id),
      startFailed: (run) => memory.startFailed.has(run.id),
      unhealthy: (run) => reporter.unhealthy(look, run),
    }
  }

  #sandboxConfig(pod: Pod, attempt: number): cri.PodSandboxConfig {
    const { node } = this.#options
    return sandboxConfig(pod, attempt, { ...node, dns: dnsConfig(pod, node.clusterDns, node.resolvConf) })
  }
}
