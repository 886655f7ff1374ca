import type { Container, Pod } from '../api/index.ts'
import type { Backoff } from './backoff.ts'
import { isSidecar } from './pod-identity.ts'
import { type ContainerRun, isExited } from './pod-runtime.ts'

/** Exit code of a container whose program could not be started at all. */
export const startFailedExitCode = 128

/** Whether a container that ended is to be run again. */
export function shouldRestart(pod: Pod, container: Container, exitCode: number): boolean {
  if (isSidecar(container)) return true
  const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always'
  const init = pod.spec.initContainers?.includes(container) ?? false
  if (policy === 'Never') return false
  return exitCode !== 0 || (policy === 'Always' && !init)
}

export function exitCodeOf(run: ContainerRun): number {
  return isExited(run) ? run.status.exitCode : startFailedExitCode
}

/** When the run ended, in ms since the epoch; one that never started ended when it was made. */
export function endedMs({ status }: ContainerRun): number {
  return Number((status.finishedAt || status.createdAt) / 1_000_000n)
}

export function restartKey(uid: string, container: string): string {
  return `${uid}/${container}`
}

/** Milliseconds until the container may be started again after `run` ended. */
export function restartDelayMs(backoff: Backoff, uid: string, run: ContainerRun, nowMs: number): number {
  return backoff.remainingMs(restartKey(uid, run.name), endedMs(run), nowMs)
}
