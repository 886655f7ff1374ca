import type { ClusterDns, ResolvConf } from './dns.ts'

/** What the kubelet knows of its node and was told; the same for every pod. */
export interface NodeFacts {
  nodeName: string
  /** Addresses of the node, the primary one first. */
  hostIPs: readonly string[]
  /** `keelson`, `containerd`: prefix of container ids in the API. */
  runtimeName: string
  memoryCapacityBytes: number
  /** What pods may ask for, as quantities. */
  allocatable: { cpu: string; memory: string; 'ephemeral-storage': string; pods: string }
  clusterDns: ClusterDns | undefined
  resolvConf: ResolvConf
  /** Text of the host's /etc/hosts. */
  hostsText: string
  /** A folder per pod, named by uid. */
  podsDirectory: string
  logsDirectory: string
  seccompDirectory: string
  cgroupParent: string
}
