import type { Clock, Outcome } from '../base/index.ts'
import type { ContainerStopper } from './container-stopper.ts'
import type { NodeFacts } from './node-facts.ts'
import { containerOf, type PodLook, podIPOf } from './pod-look.ts'
import type { Waiting } from './pod-plan.ts'
import { type ContainerRun, isExited, isRunning } from './pod-runtime.ts'
import { podStatus } from './pod-status.ts'
import type { Prober } from './prober.ts'
import { type StatusManager, withForeignConditions } from './status-manager.ts'
import { readMessage } from './termination-message.ts'

export interface PodReporterOptions {
  statuses: StatusManager
  prober: Prober
  stopper: ContainerStopper
  node: NodeFacts
  clock: Clock
  again(uid: string): void
}

/** What the API server gets to see of a pod, and the questions to its containers that this needs. */
export class PodReporter {
  readonly #options: PodReporterOptions

  constructor(options: PodReporterOptions) {
    this.#options = options
  }

  /** Hands the pod's status on. One that shows the pod to be over brings it back, to have its end seen to. */
  show({ uid, pod, have, memory }: PodLook, waiting: ReadonlyMap<string, Waiting> = new Map()): void {
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
      started: (run) => this.started({ memory }, run),
      ready: (run) => prober.ready(run) && !memory.inPostStart.has(run.id),
      startFailed: (run) => memory.startFailed.has(run.id),
      message: (run) => memory.startFailed.get(run.id) ?? memory.messages.get(run.id),
    })
    statuses.set(uid, pod, status)
    if (memory.ended || (status.phase !== 'Succeeded' && status.phase !== 'Failed')) return
    memory.ended = true
    this.#options.again(uid)
  }

  /** As `show`, as the last thing of a reconcile that wants to be called again after `afterMs`. */
  settle(look: PodLook, waiting: ReadonlyMap<string, Waiting>, afterMs: number | undefined): Outcome {
    this.show(look, waiting)
    return afterMs === undefined ? undefined : { afterMs }
  }

  started({ memory }: Pick<PodLook, 'memory'>, run: ContainerRun): boolean {
    return this.#options.prober.started(run) && !memory.inPostStart.has(run.id)
  }

  unhealthy({ memory }: PodLook, run: ContainerRun): string | undefined {
    return memory.hookFailed.has(run.id) ? 'failed PostStartHook' : this.#options.prober.unhealthy(run)
  }

  /** Probes the containers that run and no others. */
  probe(look: PodLook): void {
    const { prober, stopper, node } = this.#options
    const running = look.have.containers.filter((run) => isRunning(run) && !stopper.isStopping(run))
    prober.keep(look.uid, new Set(running.map(({ id }) => id)))
    for (const run of running) {
      const container = containerOf(look, run)
      const podIP = look.pod.spec.hostNetwork ? node.hostIPs[0] : podIPOf(look)
      if (container) prober.watch(look.uid, look.pod, container, run, podIP)
    }
  }

  async readMessages({ have, memory }: PodLook): Promise<void> {
    for (const run of have.containers)
      if (isExited(run) && !memory.messages.has(run.id)) memory.messages.set(run.id, await readMessage(run))
  }
}
