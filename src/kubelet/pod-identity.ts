import type { Container, Pod } from '../api/index.ts'

/** The three names of a pod; on a node it is keyed by uid, because a namesake may follow it. */
export interface PodIdentity {
  name: string
  namespace: string
  uid: string
}

export function identityOf(pod: Pod): PodIdentity {
  const { name = '', namespace = 'default', uid = '' } = pod.metadata ?? {}
  return { name, namespace, uid }
}

/** `nginx_default(8f1c…)`: how a pod is named in messages. */
export function podText({ name, namespace, uid }: PodIdentity): string {
  return `${name}_${namespace}(${uid})`
}

export function containersOf(pod: Pod): Container[] {
  return pod.spec?.containers ?? []
}

export function initContainersOf(pod: Pod): Container[] {
  return pod.spec?.initContainers ?? []
}

/** An init container that keeps running beside the others (restartPolicy Always of its own). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

export function isTerminal(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase === 'Succeeded' || phase === 'Failed'
}
