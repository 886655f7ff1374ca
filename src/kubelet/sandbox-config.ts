import { join } from 'node:path'
import * as cri from '../../cri/types.ts'
import type { Container, Pod } from '../api/index.ts'
import { annotation, label } from './labels.ts'
import { containersOf, identityOf, initContainersOf, isSidecar, type PodIdentity } from './pod-identity.ts'
import { qosClass } from './qos.ts'
import { type SecurityOptions, sandboxSecurity } from './security.ts'

export interface SandboxConfigOptions extends SecurityOptions {
  /** Folder of all pods' logs; a pod gets `<namespace>_<name>_<uid>` in it, as under /var/log/pods. */
  logsDirectory: string
  /** Parent cgroup of all pods, or '' to leave the choice to the runtime. */
  cgroupParent: string
  dns: cri.DNSConfig
  /** Name of the node: the host name of pods in the host's network. */
  nodeName: string
}

const hostnameMax = 63

export function podLogDirectory(logsDirectory: string, { namespace, name, uid }: PodIdentity): string {
  return join(logsDirectory, `${namespace}_${name}_${uid}`)
}

export function hostnameOf(pod: Pod): string {
  const name = pod.spec.hostname ?? pod.metadata.name ?? ''
  return name.slice(0, hostnameMax).replace(/[-.]+$/, '')
}

/** What RunPodSandbox is told. The same pod and attempt always give the same configuration. */
export function sandboxConfig(
  pod: Pod,
  attempt: number,
  options: SandboxConfigOptions,
): cri.PodSandboxConfig {
  const identity = identityOf(pod)
  const sysctls = pod.spec.securityContext?.sysctls ?? []
  return cri.PodSandboxConfig.fromPartial({
    metadata: { ...identity, attempt },
    hostname: pod.spec.hostNetwork ? '' : hostnameOf(pod),
    logDirectory: podLogDirectory(options.logsDirectory, identity),
    dnsConfig: options.dns,
    portMappings: portMappings(pod),
    labels: { ...pod.metadata.labels, ...podLabels(identity) },
    annotations: {
      ...pod.metadata.annotations,
      [annotation.configSource]: 'api',
      [annotation.terminationGracePeriod]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
    linux: {
      cgroupParent: options.cgroupParent && cgroupPath(options.cgroupParent, pod),
      securityContext: sandboxSecurity(pod, options),
      sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name.replaceAll('/', '.'), value])),
    },
  })
}

export function podLabels({ name, namespace, uid }: PodIdentity): Record<string, string> {
  return { [label.podName]: name, [label.podNamespace]: namespace, [label.podUid]: uid }
}

/** `<parent>/burstable/pod<uid>`; Guaranteed pods lie directly below the parent. */
function cgroupPath(parent: string, pod: Pod): string {
  const qos = qosClass(pod)
  const { uid } = identityOf(pod)
  return join(parent, qos === 'Guaranteed' ? '' : qos.toLowerCase(), `pod${uid}`)
}

/** Ports that are opened on the host; in the host's network a port needs no mapping. */
function portMappings(pod: Pod): cri.PortMapping[] {
  if (pod.spec.hostNetwork) return []
  const protocols: Record<string, cri.Protocol> = {
    TCP: cri.Protocol.TCP,
    UDP: cri.Protocol.UDP,
    SCTP: cri.Protocol.SCTP,
  }
  const serving: Container[] = [...initContainersOf(pod).filter(isSidecar), ...containersOf(pod)]
  return serving
    .flatMap(({ ports = [] }) => ports)
    .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
    .map(({ containerPort, hostPort = 0, hostIP = '', protocol = 'TCP' }) => ({
      containerPort,
      hostPort,
      hostIp: hostIP,
      protocol: protocols[protocol] ?? cri.Protocol.TCP,
    }))
}
