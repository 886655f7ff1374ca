import type { RuntimeService } from '../../cri/service.ts'
import type { Container, Pod, Probe } from '../api/index.ts'
import { abortable, type Clock, isAbort, type Logger } from '../base/index.ts'
import { type ActionTarget, runAction } from './handler.ts'
import type { ContainerRun } from './pod-runtime.ts'

type Kind = 'startup' | 'liveness' | 'readiness'

export interface ProberOptions {
  runtime: RuntimeService
  clock: Clock
  log: Logger
  /** A result changed what the pod is or needs. */
  onChange(uid: string): void
  /** A probe failed: news for people. */
  onFailure(pod: Pod, container: Container, message: string): void
}

interface Probed {
  uid: string
  stop: AbortController
  started: boolean
  ready: boolean
  unhealthy: string | undefined
  /** Resolves when `started` turns true. */
  whenStarted: Promise<void>
  markStarted: () => void
}

/**
 * Asks running containers how they are. Each probe of each run is one loop over the injected clock: wait
 * `initialDelaySeconds` from the container's start, ask, wait `periodSeconds`. Liveness and readiness wait for the
 * start-up probe. A result counts after `successThreshold`, respectively `failureThreshold`, equal answers in a row.
 */
export class Prober {
  readonly #options: ProberOptions
  readonly #probed = new Map<string, Probed>()

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Begins to probe this run unless it is probed already. `wasReady`: the API server last showed it ready. */
  watch(uid: string, pod: Pod, container: Container, run: ContainerRun, podIP: string | undefined): void {
    if (this.#probed.has(run.id)) return
    const probed = this.#create(uid, pod, container, run)
    this.#probed.set(run.id, probed)
    const target = { pod, container, containerId: run.id, podIP }
    const startedMs = Number(run.status.startedAt / 1_000_000n)
    for (const kind of ['startup', 'liveness', 'readiness'] as const) {
      const probe = container[`${kind}Probe`]
      if (probe) void this.#loop(kind, probe, target, startedMs, probed)
    }
  }

  /** Ends the probes of runs of this pod that are not in `running`. */
  keep(uid: string, running: ReadonlySet<string>): void {
    for (const [id, probed] of this.#probed) {
      if (probed.uid !== uid || running.has(id)) continue
      probed.stop.abort()
      this.#probed.delete(id)
    }
  }

  close(): void {
    for (const { stop } of this.#probed.values()) stop.abort()
    this.#probed.clear()
  }

  /** False too for a run that is not probed yet. */
  started(run: ContainerRun): boolean {
    return this.#probed.get(run.id)?.started ?? false
  }

  ready(run: ContainerRun): boolean {
    const probed = this.#probed.get(run.id)
    return probed?.started === true && probed.ready
  }

  unhealthy(run: ContainerRun): string | undefined {
    return this.#probed.get(run.id)?.unhealthy
  }

  #create(uid: string, pod: Pod, container: Container, run: ContainerRun): Probed {
    let markStarted = () => {}
    const whenStarted = new Promise<void>((resolve) => {
      markStarted = resolve
    })
    // After a restart of ours a container is what it was; asking again must not take it out of service meanwhile.
    const shown = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    const before = shown.find(({ containerID }) => containerID?.endsWith(`//${run.id}`))
    const started = !container.startupProbe || before?.started === true
    if (started) markStarted()
    return {
      uid,
      stop: new AbortController(),
      started,
      ready: !container.readinessProbe || before?.ready === true,
      unhealthy: undefined,
      whenStarted,
      markStarted,
    }
  }

  async #loop(
    kind: Kind,
    probe: Probe,
    target: ActionTarget,
    startedMs: number,
    probed: Probed,
  ): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = probed.stop
    const { initialDelaySeconds = 0, periodSeconds = 10 } = probe
    try {
      if (kind === 'startup' && probed.started) return
      if (kind !== 'startup') await abortable(probed.whenStarted, signal)
      const delayMs = startedMs + initialDelaySeconds * 1000 - clock.nowMs()
      if (delayMs > 0) await clock.sleep(delayMs, signal)
      const streak = { ok: undefined as boolean | undefined, length: 0 }
      while (!signal.aborted) {
        if (await this.#ask(kind, probe, target, probed, streak)) return
        await clock.sleep(periodSeconds * 1000, signal)
      }
    } catch (error) {
      if (!signal.aborted && !isAbort(error))
        log.error('probe ended', { container: target.containerId, kind, error })
    }
  }

  /** One question; true when no further one is needed. */
  async #ask(
    kind: Kind,
    probe: Probe,
    target: ActionTarget,
    probed: Probed,
    streak: { ok: boolean | undefined; length: number },
  ): Promise<boolean> {
    const { successThreshold = 1, failureThreshold = 3, timeoutSeconds = 1 } = probe
    const { ok, detail } = await runAction(
      probe,
      target,
      timeoutSeconds * 1000,
      this.#options,
      probed.stop.signal,
    )
    streak.length = streak.ok === ok ? streak.length + 1 : 1
    streak.ok = ok
    if (!ok) this.#options.onFailure(target.pod, target.container, `${capital(kind)} probe failed: ${detail}`)
    if (streak.length < (ok ? successThreshold : failureThreshold)) return false
    return this.#settle(kind, ok, probed)
  }

  #settle(kind: Kind, ok: boolean, probed: Probed): boolean {
    if (kind === 'readiness') {
      if (probed.ready !== ok) {
        probed.ready = ok
        this.#options.onChange(probed.uid)
      }
      return false
    }
    if (kind === 'startup' && ok) {
      probed.started = true
      probed.markStarted()
      this.#options.onChange(probed.uid)
      return true
    }
    if (ok) return false
    probed.unhealthy = `failed ${kind} probe`
    this.#options.onChange(probed.uid)
    return true
  }
}

function capital(kind: Kind): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1)
}
