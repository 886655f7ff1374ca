import { NamespaceMode, type NamespaceOption, type PodSandboxConfig } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import type { NamespacePin } from '../../kernel/index.ts'
import { checkSameMaps, type PodIdMaps, podIdMaps } from './id-maps.ts'

/** Which namespaces a pod has of its own, and which each of its containers has. */
export interface PodNamespaces {
  network: 'pod' | 'host'
  ipc: 'pod' | 'host'
  /** Goes with the network: a pod on the host's network has the host's name too. */
  uts: 'pod' | 'host'
  /** CRI's default is `pod`; a kubelet asks for `container` unless the pod shares its processes. */
  pid: 'pod' | 'container' | 'host'
  /** Of its user namespace; undefined with the host's. */
  idMaps: PodIdMaps | undefined
}

/** INVALID_ARGUMENT for combinations that cannot be. */
export function podNamespaces(config: PodSandboxConfig): PodNamespaces {
  const options = config.linux?.securityContext?.namespaceOptions
  const network = options?.network === NamespaceMode.NODE ? 'host' : 'pod'
  const ipc = options?.ipc === NamespaceMode.NODE ? 'host' : 'pod'
  const pid = podPid(options)
  const idMaps = podIdMaps(options?.usernsOptions)
  if (idMaps && (ipc === 'host' || pid === 'host'))
    throw invalid('a pod with a user namespace cannot have the IPC or PID namespace of the host')
  return { network, uts: network, ipc, pid, idMaps }
}

function podPid(options: NamespaceOption | undefined): PodNamespaces['pid'] {
  if (options?.pid === NamespaceMode.CONTAINER) return 'container'
  if (options?.pid === NamespaceMode.TARGET)
    throw invalid('a pod sandbox has no container whose PID namespace it could join')
  return options?.pid === NamespaceMode.NODE ? 'host' : 'pod'
}

/**
 * Some namespaces live only in a process: the PID namespace that containers share, and a user namespace, which has to
 * be there before the namespaces that it owns.
 */
export function needsHolder({ pid, idMaps }: PodNamespaces): boolean {
  return pid === 'pod' || idMaps !== undefined
}

/** The namespaces that are pinned for the pod. */
export function podPins({ network, ipc, uts, pid, idMaps }: PodNamespaces): NamespacePin[] {
  const own = { network, ipc, uts, pid, user: idMaps ? 'pod' : 'host' } as const
  return (Object.keys(own) as NamespacePin[]).filter((kind) => own[kind] === 'pod')
}

/** hostname(7): a label of at most 63 characters. */
const hostnameMax = 63

/** The pod's own name; with the host's network there is none. A caller that gives none gets the name of the pod. */
export function podHostname(config: PodSandboxConfig): string {
  if (podNamespaces(config).uts === 'host') return ''
  return config.hostname || (config.metadata?.name ?? '').slice(0, hostnameMax)
}

/** Which processes a container sees: its own, all of its pod, all of the host, or those of another container. */
export type ContainerPid = { kind: 'container' | 'pod' | 'host' } | { kind: 'target'; containerId: string }

export function containerPid(options: NamespaceOption | undefined, pod: PodNamespaces): ContainerPid {
  checkSameMaps(options?.usernsOptions, pod.idMaps)
  if (!options) return { kind: pod.pid }
  switch (options.pid) {
    case NamespaceMode.CONTAINER:
      return { kind: 'container' }
    case NamespaceMode.TARGET:
      return target(options)
    case NamespaceMode.NODE:
      if (pod.idMaps)
        throw invalid('a container in a user namespace cannot have the PID namespace of the host')
      return { kind: 'host' }
    default:
      if (pod.pid !== 'container') return { kind: pod.pid }
      throw invalid('the pod has no PID namespace that its containers share', {
        hint: 'set the PID namespace mode of the pod to POD, or that of the container to CONTAINER',
      })
  }
}

function target({ targetId }: NamespaceOption): ContainerPid {
  if (targetId !== '') return { kind: 'target', containerId: targetId }
  throw invalid('the PID namespace mode TARGET needs a target_id')
}

function invalid(message: string, options?: { hint: string }): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message, options)
}
