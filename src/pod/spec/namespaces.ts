import { NamespaceMode, type NamespaceOption, type PodSandboxConfig } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'

/** Which namespaces a pod has of its own, and which each of its containers has. */
export interface PodNamespaces {
  network: 'pod' | 'host'
  ipc: 'pod' | 'host'
  /** Goes with the network: a pod on the host's network has the host's name too. */
  uts: 'pod' | 'host'
}

/** UNIMPLEMENTED for what needs a process that holds the namespace: shared PID, user namespaces. */
export function podNamespaces(config: PodSandboxConfig): PodNamespaces {
  const options = config.linux?.securityContext?.namespaceOptions
  containerPid(options)
  const network = options?.network === NamespaceMode.NODE ? 'host' : 'pod'
  return { network, uts: network, ipc: options?.ipc === NamespaceMode.NODE ? 'host' : 'pod' }
}

/** hostname(7): a label of at most 63 characters. */
const hostnameMax = 63

/** The pod's own name; with the host's network there is none. A caller that gives none gets the name of the pod. */
export function podHostname(config: PodSandboxConfig): string {
  if (podNamespaces(config).uts === 'host') return ''
  return config.hostname || (config.metadata?.name ?? '').slice(0, hostnameMax)
}

/** A caller that says nothing about namespaces at all gets a PID namespace per container. */
export function containerPid(options: NamespaceOption | undefined): 'container' | 'host' {
  if (options?.usernsOptions?.mode === NamespaceMode.POD && options.usernsOptions.uids.length > 0)
    throw new KeelsonError('UNIMPLEMENTED', 'user namespaces for pods are not supported yet')
  if (!options || options.pid === NamespaceMode.CONTAINER) return 'container'
  if (options.pid === NamespaceMode.NODE) return 'host'
  throw new KeelsonError(
    'UNIMPLEMENTED',
    options.pid === NamespaceMode.TARGET
      ? 'joining the PID namespace of another container is not supported yet'
      : 'a PID namespace shared by the containers of a pod is not supported yet',
    { hint: 'set the PID namespace mode to CONTAINER (shareProcessNamespace: false)' },
  )
}
