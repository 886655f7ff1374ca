import {
  type ContainerStatus,
  findCondition,
  type Pod,
  type PodCondition,
  type PodStatus,
  timestamp,
} from '../api/index.ts'
import { type ContainerFacts, containerStatus } from './container-status.ts'
import { containersOf, initContainersOf, isSidecar, isTerminal } from './pod-identity.ts'
import type { PodRuntime } from './pod-runtime.ts'
import { qosClass } from './qos.ts'

export interface StatusFacts extends ContainerFacts {
  nowMs: number
  hostIPs: readonly string[]
  /** Nothing of the pod will run any more: its deletion or its end is through. */
  ended: boolean
  /** Set when the pod as a whole is refused: it fails with this reason. */
  rejected?: { reason: string; message: string }
}

type Phase = NonNullable<PodStatus['phase']>

/** The whole status of a pod from what the runtime has. Times of conditions move only when their status does. */
export function podStatus(pod: Pod, have: PodRuntime, facts: StatusFacts): PodStatus {
  const before = pod.status ?? {}
  const init = initContainersOf(pod).map((one) => finished(containerStatus(pod, one, have, facts), facts))
  const main = containersOf(pod).map((one) => finished(containerStatus(pod, one, have, facts), facts))
  const phase = isTerminal(pod) ? (before.phase ?? 'Failed') : phaseOf(pod, init, main, facts)
  const ips = pod.spec.hostNetwork ? facts.hostIPs : (have.sandboxes[0]?.ips ?? [])
  const hostIP = facts.hostIPs[0]
  return {
    phase,
    ...(facts.rejected ?? kept(before)),
    conditions: conditionsOf(pod, have, { init, main, phase }, facts),
    ...(hostIP ? { hostIP, hostIPs: facts.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: before.startTime ?? timestamp(facts.nowMs),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: main,
    qosClass: qosClass(pod),
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  }
}

function kept({ reason, message }: PodStatus): Pick<PodStatus, 'reason' | 'message'> {
  return { ...(reason ? { reason } : {}), ...(message ? { message } : {}) }
}

/** In a pod that is over, a container that waits will never run: it ends as it stands. */
function finished(status: ContainerStatus, { ended }: StatusFacts): ContainerStatus {
  if (!ended || status.state?.terminated) return status
  const terminated = status.lastState?.terminated ?? {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container was not running when the pod was terminated',
  }
  return { ...status, state: { terminated }, lastState: {}, ready: false, started: false }
}

/** Pending until all began, Running while something runs or will again, else Succeeded or Failed. */
function phaseOf(
  pod: Pod,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
  facts: StatusFacts,
): Phase {
  if (facts.rejected) return 'Failed'
  const policy = facts.ended ? 'Never' : (pod.spec.restartPolicy ?? 'Always')
  const initFailed = init.some(({ state }) => state?.terminated && state.terminated.exitCode !== 0)
  if (!facts.ended && !initialized(pod, init, main))
    return policy === 'Never' && initFailed ? 'Failed' : 'Pending'
  const running = main.filter(({ state }) => state?.running).length
  const stopped = main.filter(
    ({ state, lastState }) => state?.terminated || (state?.waiting && lastState?.terminated),
  ).length
  if (running + stopped < main.length) return 'Pending'
  if (running > 0 || policy === 'Always') return 'Running'
  const succeeded = main.every(({ state }) => state?.terminated?.exitCode === 0)
  if (succeeded) return 'Succeeded'
  return policy === 'Never' ? 'Failed' : 'Running'
}

/** All init containers are through: exited 0, or started where they stay. */
function initialized(pod: Pod, init: readonly ContainerStatus[], main: readonly ContainerStatus[]): boolean {
  if (main.some(({ containerID }) => containerID !== undefined)) return true
  return initContainersOf(pod).every((container, index) => {
    const status = init[index]
    return isSidecar(container) ? status?.started === true : status?.state?.terminated?.exitCode === 0
  })
}

interface Derived {
  init: readonly ContainerStatus[]
  main: readonly ContainerStatus[]
  phase: Phase
}

function conditionsOf(pod: Pod, have: PodRuntime, derived: Derived, facts: StatusFacts): PodCondition[] {
  const { init, main, phase } = derived
  const sandbox = have.sandboxes[0]?.ready === true && !facts.ended
  const incomplete = initContainersOf(pod).filter(
    (_, index) => init[index]?.state?.terminated?.exitCode !== 0,
  )
  const isInitialized = phase === 'Succeeded' || initialized(pod, init, main)
  const ready = containersReady(pod, derived)
  const own = [
    condition('PodReadyToStartContainers', sandbox),
    isInitialized
      ? condition('Initialized', true, phase === 'Succeeded' ? 'PodCompleted' : undefined)
      : condition('Initialized', false, 'ContainersNotInitialized', names('incomplete', incomplete)),
    podReady(pod, ready),
    { ...ready, type: 'ContainersReady' },
    condition('PodScheduled', true),
  ]
  const ownTypes = new Set(own.map(({ type }) => type))
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !ownTypes.has(type))
  return [...own.map((one) => timed(pod, one, facts.nowMs)), ...others]
}

function containersReady(pod: Pod, { init, main, phase }: Derived): PodCondition {
  if (phase === 'Succeeded') return condition('ContainersReady', false, 'PodCompleted')
  if (phase === 'Failed') return condition('ContainersReady', false, 'PodFailed')
  const sidecars = init.filter((_, index) => {
    const container = initContainersOf(pod)[index]
    return container !== undefined && isSidecar(container)
  })
  const unready = [...sidecars, ...main].filter(({ ready }) => !ready)
  if (unready.length === 0) return condition('ContainersReady', true)
  return condition('ContainersReady', false, 'ContainersNotReady', names('unready', unready))
}

/** Ready when all containers are and every readiness gate's condition, set by others, is True. */
function podReady(pod: Pod, ready: PodCondition): PodCondition {
  const gates = pod.spec.readinessGates ?? []
  const closed = gates.filter(
    ({ conditionType }) => findCondition(pod.status?.conditions, conditionType)?.status !== 'True',
  )
  if (ready.status !== 'True' || closed.length === 0) return { ...ready, type: 'Ready' }
  const message = `${closed.map(({ conditionType }) => conditionType).join(', ')} not True`
  return condition('Ready', false, 'ReadinessGatesNotReady', message)
}

function condition(type: string, holds: boolean, reason?: string, message?: string): PodCondition {
  return {
    type,
    status: holds ? 'True' : 'False',
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
  }
}

function timed(pod: Pod, next: PodCondition, nowMs: number): PodCondition {
  const before = findCondition(pod.status?.conditions, next.type)
  const unchanged = before?.status === next.status ? before.lastTransitionTime : undefined
  return { ...next, lastTransitionTime: unchanged ?? timestamp(nowMs) }
}

function names(state: string, containers: readonly { name: string }[]): string {
  return `containers with ${state} status: [${containers.map(({ name }) => name).join(' ')}]`
}
