import type { Call, RuntimeService } from '../../cri/service.ts'
import type { Container, Pod } from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import { type ActionTarget, runAction } from './handler.ts'
import { type ContainerRun, isNotFound } from './pod-runtime.ts'

export interface StopRequest {
  uid: string
  pod: Pod
  container: Container | undefined
  run: ContainerRun
  /** The container has this long for its preStop hook and its own end together. */
  graceMs: number
  podIP: string | undefined
}

export interface ContainerStopperOptions {
  runtime: RuntimeService
  clock: Clock
  log: Logger
  signal: AbortSignal
  /** Told when a container of this pod has ended, or could not be ended. */
  onDone(uid: string): void
  onHookFailed(request: StopRequest, detail: string): void
}

interface Stopping {
  uid: string
  deadlineMs: number
  done: boolean
}

const graceAfterHookMinMs = 2000

/**
 * Ends containers in the background: preStop hook, then StopContainer with what is left of the grace period. Asked
 * again with a nearer deadline while it waits, it kills at that deadline.
 */
export class ContainerStopper {
  readonly #options: ContainerStopperOptions
  readonly #stopping = new Map<string, Stopping>()

  constructor(options: ContainerStopperOptions) {
    this.#options = options
  }

  /** Whether the container is on its way out already. */
  isStopping(run: ContainerRun): boolean {
    return this.#stopping.has(run.id)
  }

  stop(request: StopRequest): void {
    const { clock } = this.#options
    const { uid, run, graceMs } = request
    const deadlineMs = clock.monotonicMs() + graceMs
    const known = this.#stopping.get(run.id)
    if (known) {
      this.#hasten(known, run, deadlineMs)
      return
    }
    const stopping = { uid, deadlineMs, done: false }
    this.#stopping.set(run.id, stopping)
    void this.#run(request, stopping).finally(() => {
      stopping.done = true
      this.#stopping.delete(run.id)
      this.#options.onDone(uid)
    })
  }

  #hasten(known: Stopping, run: ContainerRun, deadlineMs: number): void {
    // Half a second of slack: the deadline of the same wish, computed again, is never exactly the same.
    if (deadlineMs >= known.deadlineMs - 500) return
    known.deadlineMs = deadlineMs
    this.#options.clock.after(Math.max(0, deadlineMs - this.#options.clock.monotonicMs()), () => {
      if (!known.done) void this.#kill(run, 0)
    })
  }

  async #run(request: StopRequest, stopping: Stopping): Promise<void> {
    await this.#preStop(request)
    const leftMs = stopping.deadlineMs - this.#options.clock.monotonicMs()
    const hook = request.container?.lifecycle?.preStop !== undefined
    await this.#kill(request.run, hook ? Math.max(graceAfterHookMinMs, leftMs) : Math.max(0, leftMs))
  }

  async #preStop(request: StopRequest): Promise<void> {
    const hook = request.container?.lifecycle?.preStop
    if (!hook || !request.container || request.graceMs <= 0) return
    const { signal, onHookFailed } = this.#options
    const { pod, container, run, podIP, graceMs } = request
    const target: ActionTarget = { pod, container, containerId: run.id, podIP }
    const { ok, detail } = await runAction(hook, target, graceMs, this.#options, signal)
    if (!ok) onHookFailed(request, detail)
  }

  async #kill(run: ContainerRun, timeoutMs: number): Promise<void> {
    const { runtime, log, signal } = this.#options
    const call: Call = { signal }
    try {
      await runtime.stopContainer({ containerId: run.id, timeout: BigInt(Math.ceil(timeoutMs / 1000)) }, call)
    } catch (error) {
      if (!isNotFound(error) && !signal.aborted)
        log.warn('container not stopped', { container: run.id, error })
    }
  }
}
