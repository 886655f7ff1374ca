import type { Container, ContainerState, ContainerStatus, Pod } from '../api/index.ts'
import type { Waiting } from './pod-plan.ts'
import { type ContainerRun, isExited, isRunning, type PodRuntime } from './pod-runtime.ts'
import { endedMs, startFailedExitCode } from './restart.ts'

/** What a container's status is derived from beside the runtime's view. */
export interface ContainerFacts {
  /** Name of the runtime: prefix of containerID. */
  runtimeName: string
  /** Why a container does not run now, by name. */
  waiting: ReadonlyMap<string, Waiting>
  started(run: ContainerRun): boolean
  ready(run: ContainerRun): boolean
  startFailed(run: ContainerRun): boolean
  /** The text of the termination message, by run id. */
  message(run: ContainerRun): string | undefined
}

/** The API status of one container from its newest runs, and from `before` where the runtime knows none. */
export function containerStatus(
  pod: Pod,
  container: Container,
  have: PodRuntime,
  facts: ContainerFacts,
): ContainerStatus {
  const [run, previous] = have.containers.filter(({ name }) => name === container.name)
  const waiting = facts.waiting.get(container.name)
  if (!run) return neverSeen(pod, container, waiting)
  const running = isRunning(run)
  const restarting = waiting !== undefined && !running
  const last = restarting ? (hasEnded(run, facts) ? run : previous) : previous
  const init = pod.spec.initContainers?.includes(container) && container.restartPolicy !== 'Always'
  const completed = init && isExited(run) && run.status.exitCode === 0
  return {
    name: container.name,
    state: restarting ? { waiting } : stateOf(run, facts),
    lastState: last ? { terminated: terminated(last, facts) } : {},
    ready: init ? Boolean(completed) : running && facts.ready(run),
    started: running && facts.started(run),
    restartCount: run.attempt,
    image: run.status.image?.userSpecifiedImage || container.image || run.status.image?.image || '',
    imageID: run.status.imageRef || run.status.imageId,
    containerID: `${facts.runtimeName}://${run.id}`,
  }
}

function hasEnded(run: ContainerRun, facts: ContainerFacts): boolean {
  return isExited(run) || facts.startFailed(run)
}

function stateOf(run: ContainerRun, facts: ContainerFacts): ContainerState {
  if (isRunning(run)) return { running: { startedAt: time(run.status.startedAt) } }
  if (hasEnded(run, facts)) return { terminated: terminated(run, facts) }
  return { waiting: { reason: 'ContainerCreating' } }
}

function terminated(run: ContainerRun, facts: ContainerFacts): NonNullable<ContainerState['terminated']> {
  const { status } = run
  const exitCode = isExited(run) ? status.exitCode : startFailedExitCode
  const message = facts.message(run) || status.message
  return {
    exitCode,
    reason: status.reason || (isExited(run) ? (exitCode === 0 ? 'Completed' : 'Error') : 'StartError'),
    ...(message ? { message } : {}),
    startedAt: time(status.startedAt || status.createdAt),
    finishedAt: new Date(endedMs(run)).toISOString().replace(/\.\d+/, ''),
    containerID: `${facts.runtimeName}://${run.id}`,
  }
}

/** A container that the runtime does not know: not made yet, or lost with its history. */
function neverSeen(pod: Pod, container: Container, waiting: Waiting | undefined): ContainerStatus {
  const before = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ].find(({ name }) => name === container.name)
  const reason =
    (pod.spec.initContainers?.length ?? 0) > 0 && pod.spec.containers.includes(container)
      ? 'PodInitializing'
      : 'ContainerCreating'
  const lost = before?.containerID !== undefined ? before : undefined
  return {
    name: container.name,
    state: { waiting: waiting ?? { reason } },
    lastState: lost ? { terminated: lost.state?.terminated ?? lostState(lost) } : {},
    ready: false,
    started: false,
    restartCount: lost?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
  }
}

function lostState({ containerID }: ContainerStatus): NonNullable<ContainerState['terminated']> {
  return {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    ...(containerID ? { containerID } : {}),
  }
}

/** RFC 3339 in seconds from the runtime's nanoseconds. */
function time(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().replace(/\.\d+/, '')
}
