import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Call, RuntimeService } from '../../cri/service.ts'
import { type ApiClient, type Pod, resources } from '../api/index.ts'
import { type Clock, hasCode, type Outcome } from '../base/index.ts'
import type { ContainerStopper } from './container-stopper.ts'
import type { NodeFacts } from './node-facts.ts'
import { identityOf, initContainersOf, isSidecar } from './pod-identity.ts'
import type { PodLook } from './pod-look.ts'
import type { PodReporter } from './pod-reporter.ts'
import { isRunning, type PodRuntime, type PodRuntimeReader } from './pod-runtime.ts'
import type { Prober } from './prober.ts'
import type { StatusManager } from './status-manager.ts'
import type { VolumeManager } from './volumes/volume-manager.ts'

export interface PodEnderOptions {
  client: ApiClient
  runtime: RuntimeService
  reader: PodRuntimeReader
  stopper: ContainerStopper
  reporter: PodReporter
  statuses: StatusManager
  prober: Prober
  volumes: VolumeManager
  node: NodeFacts
  clock: Clock
  signal: AbortSignal
}

/** Seconds that containers get whose pod is gone from the API. */
const orphanGraceSeconds = 1n

/** The three ways in which pods end: deleted, through with their work, or gone from the API. */
export class PodEnder {
  readonly #options: PodEnderOptions
  readonly #call: Call

  constructor(options: PodEnderOptions) {
    this.#options = options
    this.#call = { signal: options.signal }
  }

  /** A deleted pod: its containers get their grace period, then the API server is told that all is over. */
  async terminate(found: PodLook): Promise<Outcome> {
    const { reader, statuses, reporter } = this.#options
    const { uid, pod, memory } = found
    if (memory.removed) return undefined
    if (this.#stopRunning(found)) {
      reporter.show(found)
      return undefined
    }
    await this.#stopSandboxes(found.have)
    const look = { ...found, have: await reader.read(uid, this.#call) }
    if (look.have.containers.some(isRunning)) return { afterMs: 0 }
    memory.ended = true
    reporter.show(look)
    await statuses.flushed(uid)
    await this.#deleteObject(pod)
    memory.removed = true
    return undefined
  }

  /** A pod whose containers all ended keeps them for their logs, but neither sandbox nor sidecars. */
  async rest(look: PodLook): Promise<void> {
    if (this.#stopRunning(look)) return
    this.#options.prober.keep(look.uid, new Set())
    await this.#stopSandboxes(look.have)
  }

  /** No such pod any more: whatever of it is left goes at once, history and data included. */
  async remove(uid: string, have: PodRuntime): Promise<void> {
    const { runtime, stopper, volumes, prober, reader } = this.#options
    prober.keep(uid, new Set())
    const stops = have.containers.filter(isRunning).map((run) => {
      // A stop with grace may be waiting: only one without any overtakes it.
      const timeout = stopper.isStopping(run) ? 0n : orphanGraceSeconds
      return runtime.stopContainer({ containerId: run.id, timeout }, this.#call)
    })
    await Promise.all(stops)
    for (const { id } of have.sandboxes) {
      await runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
      await runtime.removePodSandbox({ podSandboxId: id }, this.#call)
    }
    reader.forget(have)
    await volumes.remove(uid)
    await this.#removeLogs(uid)
  }

  /**
   * Stops what runs: ordinary containers first and together, then the sidecars, the last one first. False when
   * nothing runs any more.
   */
  #stopRunning(look: PodLook): boolean {
    const running = look.have.containers.filter(isRunning)
    const sidecars = initContainersOf(look.pod)
      .filter(isSidecar)
      .map(({ name }) => running.find((run) => run.name === name))
      .filter((run) => run !== undefined)
    const ordinary = running.filter((run) => !sidecars.includes(run))
    for (const run of ordinary.length > 0 ? ordinary : sidecars.slice(-1))
      this.#options.stopper.stop(look, run, this.#graceLeftMs(look.pod), `Stopping container ${run.name}`)
    return running.length > 0
  }

  /** deletionTimestamp is when the grace period ends; it is never longer than the one asked for. */
  #graceLeftMs({ metadata, spec }: Pod): number {
    const graceMs = (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30) * 1000
    if (metadata.deletionTimestamp === undefined) return graceMs
    const leftMs = Date.parse(metadata.deletionTimestamp) - this.#options.clock.nowMs()
    return Math.min(graceMs, Math.max(0, leftMs))
  }

  async #stopSandboxes({ sandboxes }: PodRuntime): Promise<void> {
    for (const { id, ready } of sandboxes)
      if (ready) await this.#options.runtime.stopPodSandbox({ podSandboxId: id }, this.#call)
  }

  async #deleteObject(pod: Pod): Promise<void> {
    const { uid, name, namespace } = identityOf(pod)
    const options = { gracePeriodSeconds: 0, preconditions: { uid } }
    try {
      await this.#options.client.delete(resources.pods, { name, namespace }, options)
    } catch (error) {
      // Gone, or another of this name has come: either way ours is no more.
      if (!hasCode(error, 'NOT_FOUND') && !hasCode(error, 'CONFLICT')) throw error
    }
  }

  async #removeLogs(uid: string): Promise<void> {
    const { logsDirectory } = this.#options.node
    for (const name of await readdir(logsDirectory).catch(() => []))
      if (name.endsWith(`_${uid}`)) await rm(join(logsDirectory, name), { recursive: true, force: true })
  }
}
