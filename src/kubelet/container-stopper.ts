import type { RuntimeService } from '../../cri/service.ts'
import type { Clock, Logger } from '../base/index.ts'
import { runAction } from './handler.ts'
import type { PodEvents } from './pod-events.ts'
import { containerOf, type PodLook, podIPOf } from './pod-look.ts'
import { type ContainerRun, isNotFound } from './pod-runtime.ts'

/** Resolves when no Service leads to these addresses any more. */
export type Released = (podIPs: readonly string[], signal: AbortSignal) => Promise<void>

export interface ContainerStopperOptions {
  runtime: RuntimeService
  released: Released | undefined
  events: PodEvents
  clock: Clock
  log: Logger
  signal: AbortSignal
  /** Told when a container of this pod has ended, or could not be ended. */
  again(uid: string): void
}

interface Stopping {
  deadlineMs: number
  done: boolean
}

const graceAfterHookMinMs = 2000
const retryMs = 1000
/** Longer than the news of a deletion takes to the Services and back; a cluster that is not well holds up nobody. */
const releaseMaxMs = 1000
/** The deadline of the same wish, computed again from whole seconds, may come out this much nearer. */
const slackMs = 1500

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

  /** The container has `graceMs` for its preStop hook and its own end together; `message` is what users read. */
  stop(look: PodLook, run: ContainerRun, graceMs: number, message: string): void {
    const { clock, events, again } = this.#options
    const deadlineMs = clock.monotonicMs() + graceMs
    const known = this.#stopping.get(run.id)
    if (known) {
      this.#hasten(known, run, deadlineMs)
      return
    }
    events.container(look.pod, run.name, 'Normal', 'Killing', message)
    const stopping = { deadlineMs, done: false }
    this.#stopping.set(run.id, stopping)
    void this.#run(look, run, stopping).finally(() => {
      stopping.done = true
      this.#stopping.delete(run.id)
      again(look.uid)
    })
  }

  #hasten(known: Stopping, run: ContainerRun, deadlineMs: number): void {
    if (deadlineMs >= known.deadlineMs - slackMs) return
    known.deadlineMs = deadlineMs
    const { clock } = this.#options
    clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      if (!known.done) void this.#kill(run, 0)
    })
  }

  async #run(look: PodLook, run: ContainerRun, stopping: Stopping): Promise<void> {
    const { clock, signal } = this.#options
    const hook = containerOf(look, run)?.lifecycle?.preStop !== undefined
    const leftMs = () => stopping.deadlineMs - clock.monotonicMs()
    const preStop =
      hook && leftMs() > 0 ? this.#preStop(look, run, leftMs()).catch(() => undefined) : undefined
    await Promise.all([preStop, this.#release(look, leftMs())])
    const stopped = await this.#kill(
      run,
      hook ? Math.max(graceAfterHookMinMs, leftMs()) : Math.max(0, leftMs()),
    )
    // Whoever asked finds the container as it was and asks again: not faster than this.
    if (!stopped) await clock.sleep(retryMs, signal).catch(() => undefined)
  }

  /** Of a deleted pod: a container told to end while Services still lead to it would refuse their clients. */
  async #release({ pod }: PodLook, leftMs: number): Promise<void> {
    const { released, clock, signal } = this.#options
    const addresses = (pod.status?.podIPs ?? []).flatMap(({ ip }) => ip ?? [])
    if (!released || pod.metadata.deletionTimestamp === undefined || addresses.length === 0) return
    const late = new AbortController()
    const cancel = clock.after(Math.min(releaseMaxMs, leftMs), () => late.abort())
    await released(addresses, AbortSignal.any([late.signal, signal])).catch(() => undefined)
    cancel()
  }

  async #preStop(look: PodLook, run: ContainerRun, timeoutMs: number): Promise<void> {
    const { signal, events } = this.#options
    const container = containerOf(look, run)
    const hook = container?.lifecycle?.preStop
    if (!hook) return
    const target = { pod: look.pod, container, containerId: run.id, podIP: podIPOf(look) }
    const { ok, detail } = await runAction(hook, target, timeoutMs, this.#options, signal)
    if (!ok)
      events.container(look.pod, run.name, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${detail}`)
  }

  async #kill(run: ContainerRun, timeoutMs: number): Promise<boolean> {
    const { runtime, log, signal } = this.#options
    try {
      const timeout = BigInt(Math.ceil(timeoutMs / 1000))
      await runtime.stopContainer({ containerId: run.id, timeout }, { signal })
      return true
    } catch (error) {
      if (isNotFound(error)) return true
      if (!signal.aborted) log.warn('container not stopped', { container: run.id, error })
      return false
    }
  }
}
