import type { Call } from '../../../cri/service.ts'
import type { Pod } from '../../api/index.ts'
import { KeelsonError } from '../../base/index.ts'
import { containersOf, identityOf, initContainersOf } from '../pod-identity.ts'
import { type ContainerRun, isRunning, type PodRuntime, type PodRuntimeReader } from '../pod-runtime.ts'

export interface TargetSources {
  reader: PodRuntimeReader
  /** The pod of this name that the API wants on this node. */
  podNamed(namespace: string, name: string): Pod | undefined
}

export interface PodTarget {
  pod: Pod
  have: PodRuntime
}

/** The pod that a request's path names; NOT_FOUND when this node has no such pod (or another uid). */
export async function findPod(
  { reader, podNamed }: TargetSources,
  { namespace, name, uid }: { namespace: string; name: string; uid?: string | undefined },
  call: Call,
): Promise<PodTarget> {
  const pod = podNamed(namespace, name)
  if (!pod || (uid !== undefined && identityOf(pod).uid !== uid))
    throw new KeelsonError('NOT_FOUND', `pod "${name}" not found in namespace "${namespace}" on this node`)
  return { pod, have: await reader.read(identityOf(pod).uid, call) }
}

/** The run of a container that a command or a terminal can be attached to. */
export function runningContainer({ pod, have }: PodTarget, container: string): ContainerRun {
  const run = have.containers.find((one) => one.name === container)
  if (!run || !isRunning(run))
    throw new KeelsonError(
      'NOT_FOUND',
      `container "${container}" of pod "${pod.metadata.name}" is not running`,
    )
  return run
}

/** The run whose log is asked for: the newest, or with `previous` the one before it. */
export function loggedRun({ pod, have }: PodTarget, container: string, previous: boolean): ContainerRun {
  const { name } = pod.metadata
  if (![...initContainersOf(pod), ...containersOf(pod)].some((one) => one.name === container))
    throw new KeelsonError('INVALID_ARGUMENT', `container ${container} is not valid for pod ${name}`)
  const [newest, before] = have.containers.filter((one) => one.name === container)
  const run = previous ? before : newest
  if (run) return run
  if (previous)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `previous terminated container "${container}" in pod "${name}" not found`,
    )
  const shown = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const reason = shown.find((one) => one.name === container)?.state?.waiting?.reason ?? 'ContainerCreating'
  throw new KeelsonError(
    'INVALID_ARGUMENT',
    `container "${container}" in pod "${name}" is waiting to start: ${reason}`,
  )
}
