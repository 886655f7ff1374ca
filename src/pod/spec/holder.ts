import type { PodSandboxConfig } from '../../../cri/types.ts'
import type { Spec } from '../../oci/index.ts'
import { podHostname, podNamespaces } from './namespaces.ts'

export interface HolderRequest {
  config: PodSandboxConfig
  /** From the root of every hierarchy. */
  cgroupsPath: string
  /** An empty directory. */
  root: string
  oomScoreAdj: number
}

/**
 * The specification of the process that holds a pod's namespaces. It has a PID namespace in any case: with a user
 * namespace the others are made inside that. Every container of the pod may see it at /proc/1, one that may trace even
 * become it: it has no rights, no file system but an empty directory, and no namespace of the host that it could lend.
 */
export function holderSpec({ config, cgroupsPath, root, oomScoreAdj }: HolderRequest): Spec {
  const own = podNamespaces(config)
  const hostname = podHostname(config)
  const pods = (['network', 'ipc', 'uts'] as const).filter((kind) => own[kind] === 'pod')
  const types = ['mount', 'cgroup', 'pid', ...pods, ...(own.idMaps ? ['user'] : [])]
  return {
    ociVersion: '1.2.0',
    ...(own.uts === 'pod' && hostname ? { hostname } : {}),
    process: { cwd: '/', user: { uid: 0, gid: 0 }, capabilities: {}, noNewPrivileges: true, oomScoreAdj },
    root: { path: root, readonly: true },
    annotations: { 'io.kubernetes.cri.container-type': 'sandbox' },
    linux: {
      cgroupsPath,
      namespaces: types.map((type) => ({ type })),
      ...(own.idMaps ? { uidMappings: own.idMaps.uids, gidMappings: own.idMaps.gids } : {}),
      resources: { devices: [{ allow: false, access: 'rwm' }] },
    },
  }
}
