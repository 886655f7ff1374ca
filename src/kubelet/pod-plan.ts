import * as cri from '../../cri/types.ts'
import type { Container, Pod } from '../api/index.ts'
import type { Backoff } from './backoff.ts'
import { containerHash } from './container-config.ts'
import { annotation } from './labels.ts'
import { containersOf, identityOf, initContainersOf, isSidecar, podText } from './pod-identity.ts'
import { type ContainerRun, isExited, isRunning, newestRun, type PodRuntime } from './pod-runtime.ts'
import { exitCodeOf, restartDelayMs, restartKey, shouldRestart } from './restart.ts'

/** What this process knows beyond the pod and the runtime; all of it may be lost and is then learned anew. */
export interface PlanFacts {
  nowMs: number
  restarts: Backoff
  /** The run's start-up probe passed, or there is none, and its postStart hook is through. */
  started(run: ContainerRun): boolean
  /** Its postStart hook is running. */
  inPostStart(run: ContainerRun): boolean
  /** StartContainer failed on it. */
  startFailed(run: ContainerRun): boolean
  /** Why a running container must go: a failed liveness or start-up probe. */
  unhealthy(run: ContainerRun): string | undefined
}

export interface Waiting {
  reason: string
  message?: string
}

export interface StartStep {
  container: Container
  attempt: number
  /** A run that was created but never started: it is started instead of a new one. */
  existing?: ContainerRun
}

export interface PodPlan {
  /** `create` a sandbox with this attempt first and plan again; `keep` it; `none`: nothing may run any more. */
  sandbox: { do: 'create'; attempt: number } | { do: 'keep'; id: string } | { do: 'none' }
  /** Containers that must end, each with the reason users are told. */
  stop: { run: ContainerRun; message: string }[]
  /** In order; the next is begun when the one before it is started. */
  start: StartStep[]
  waiting: Map<string, Waiting>
  /** When to look again, for the sake of a back-off. */
  afterMs: number | undefined
}

/** Decides what brings the pod from what the runtime has to what is wanted. Changes nothing itself. */
export function planPod(pod: Pod, have: PodRuntime, facts: PlanFacts): PodPlan {
  const plan: PodPlan = {
    sandbox: { do: 'none' },
    stop: [],
    start: [],
    waiting: new Map(),
    afterMs: undefined,
  }
  const newest = have.sandboxes[0]
  if (!newest?.ready) {
    if (newest && !wantsAnotherSandbox(pod, have)) return plan
    plan.sandbox = { do: 'create', attempt: newest ? newest.attempt + 1 : 0 }
    plan.stop = strays(have, undefined)
    return plan
  }
  plan.sandbox = { do: 'keep', id: newest.id }
  plan.stop = strays(have, newest.id)
  const planner = new ContainerPlanner(pod, have, newest.id, facts, plan)
  if (planner.init()) planner.main()
  return plan
}

/** Running containers of sandboxes other than the current one: their network is gone. */
function strays(have: PodRuntime, sandboxId: string | undefined): PodPlan['stop'] {
  return have.containers
    .filter((run) => isRunning(run) && run.sandboxId !== sandboxId)
    .map((run) => ({ run, message: 'Pod sandbox changed, it will be killed and re-created.' }))
}

/** After its sandbox died a pod gets another one only if something in it is to run (again). */
function wantsAnotherSandbox(pod: Pod, have: PodRuntime): boolean {
  if (have.containers.length === 0) return true
  const mains = containersOf(pod).map((container) => ({ container, run: newestRun(have, container.name) }))
  const begun = mains.some(({ run }) => run)
  if (!begun) {
    const failed = initContainersOf(pod).some((container) => {
      const run = newestRun(have, container.name)
      return run && isExited(run) && exitCodeOf(run) !== 0 && !shouldRestart(pod, container, exitCodeOf(run))
    })
    return !failed
  }
  return mains.some(({ container, run }) => !run || shouldRestart(pod, container, exitCodeOf(run)))
}

class ContainerPlanner {
  readonly #pod: Pod
  readonly #have: PodRuntime
  readonly #sandboxId: string
  readonly #facts: PlanFacts
  readonly #plan: PodPlan

  constructor(pod: Pod, have: PodRuntime, sandboxId: string, facts: PlanFacts, plan: PodPlan) {
    this.#pod = pod
    this.#have = have
    this.#sandboxId = sandboxId
    this.#facts = facts
    this.#plan = plan
  }

  /** Plans the init containers, one after the other; true once the ordinary containers may run. */
  init(): boolean {
    const begun = containersOf(this.#pod).some(({ name }) => this.#runHere(name))
    for (const container of initContainersOf(this.#pod)) {
      const done = isSidecar(container) ? this.#sidecar(container) : begun || this.#step(container)
      if (!done && !begun) return false
    }
    return true
  }

  main(): void {
    for (const container of containersOf(this.#pod)) {
      const run = newestRun(this.#have, container.name)
      if (!run) {
        this.#begin(container, undefined)
      } else if (isRunning(run)) {
        this.#keep(container, run)
        if (this.#facts.inPostStart(run)) return
      } else {
        this.#ended(container, run)
      }
    }
  }

  /** An ordinary init container; true when it is done. */
  #step(container: Container): boolean {
    const run = this.#runHere(container.name)
    if (!run) this.#begin(container, newestRun(this.#have, container.name))
    else if (isExited(run) && run.status.exitCode === 0) return true
    else if (isRunning(run)) this.#keep(container, run)
    else this.#ended(container, run)
    return false
  }

  /** An init container that stays; true when those after it may start. */
  #sidecar(container: Container): boolean {
    const run = this.#runHere(container.name)
    if (!run) this.#begin(container, newestRun(this.#have, container.name))
    else if (isRunning(run)) {
      this.#keep(container, run)
      return this.#facts.started(run)
    } else this.#ended(container, run)
    return false
  }

  #runHere(name: string): ContainerRun | undefined {
    return this.#have.containers.find((run) => run.name === name && run.sandboxId === this.#sandboxId)
  }

  #keep(container: Container, run: ContainerRun): void {
    const unhealthy = this.#facts.unhealthy(run)
    const hash = run.status.annotations[annotation.containerHash]
    if (unhealthy !== undefined)
      this.#plan.stop.push({ run, message: `Container ${run.name} ${unhealthy}, will be restarted` })
    else if (hash !== undefined && hash !== containerHash(container))
      this.#plan.stop.push({ run, message: `Container ${run.name} definition changed, will be restarted` })
  }

  #ended(container: Container, run: ContainerRun): void {
    if (run.state === cri.ContainerState.CONTAINER_UNKNOWN) {
      this.#plan.stop.push({ run, message: `Container ${run.name} is in an unknown state, try killing it` })
      return
    }
    const created = run.state === cri.ContainerState.CONTAINER_CREATED
    if (created && run.sandboxId === this.#sandboxId && !this.#facts.startFailed(run)) {
      this.#plan.start.push({ container, attempt: run.attempt, existing: run })
      return
    }
    if (shouldRestart(this.#pod, container, exitCodeOf(run))) this.#again(container, run)
  }

  #again(container: Container, run: ContainerRun): void {
    const identity = identityOf(this.#pod)
    const { restarts, nowMs } = this.#facts
    const delayMs = restartDelayMs(restarts, identity.uid, run, nowMs)
    if (delayMs === 0) {
      this.#begin(container, run)
      return
    }
    const seconds = restarts.delayMs(restartKey(identity.uid, run.name)) / 1000
    this.#plan.waiting.set(run.name, {
      reason: 'CrashLoopBackOff',
      message: `back-off ${backoffText(seconds)} restarting failed container=${run.name} pod=${podText(identity)}`,
    })
    this.#plan.afterMs = Math.min(this.#plan.afterMs ?? delayMs, delayMs)
  }

  #begin(container: Container, before: ContainerRun | undefined): void {
    const attempt = before ? before.attempt + 1 : reportedRestarts(this.#pod, container.name)
    this.#plan.start.push({ container, attempt })
  }
}

/** The first attempt after the runtime forgot all runs goes on counting where the API server's status stands. */
function reportedRestarts(pod: Pod, name: string): number {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {}
  const status = [...initContainerStatuses, ...containerStatuses].find((one) => one.name === name)
  return status?.containerID ? status.restartCount + 1 : 0
}

/** Go's way to write a duration: `10s`, `1m20s`, `5m0s`. */
function backoffText(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}
