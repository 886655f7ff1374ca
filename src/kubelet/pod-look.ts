import type { Container, Pod } from '../api/index.ts'
import { containersOf, initContainersOf } from './pod-identity.ts'
import type { PodMemory } from './pod-memory.ts'
import type { ContainerRun, PodRuntime } from './pod-runtime.ts'

/** One pod at one look: what the API wants, what the runtime has, what only we know. */
export interface PodLook {
  uid: string
  pod: Pod
  have: PodRuntime
  memory: PodMemory
}

/** The container of the pod's spec that this is a run of; undefined when the spec names it no longer. */
export function containerOf({ pod }: PodLook, run: ContainerRun): Container | undefined {
  return [...initContainersOf(pod), ...containersOf(pod)].find(({ name }) => name === run.name)
}

export function podIPOf({ have }: PodLook): string | undefined {
  return have.sandboxes[0]?.ips[0]
}

export function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}
