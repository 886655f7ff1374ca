import type { ContainerConfig, PodSandboxConfig } from '../../../cri/types.ts'
import type { ImageConfig } from '../../image/index.ts'
import type { Device, Namespace, Process, Seccomp, Spec } from '../../oci/index.ts'
import { appArmorProfile } from './apparmor.ts'
import { containerCapabilities } from './capabilities.ts'
import { containerMounts, rootfsPropagation } from './mounts.ts'
import { containerPid, podNamespaces } from './namespaces.ts'
import { processArgs, processEnv, workingDirectory } from './process.ts'
import { deviceRules, ociResources } from './resources.ts'
import type { ResolvedUser } from './user.ts'

/** Everything the specification of a container depends on; whatever had to be read from disk has been read. */
export interface SpecRequest {
  /** Host paths of its mounts resolved. */
  config: ContainerConfig
  sandbox: PodSandboxConfig
  image: ImageConfig
  user: ResolvedUser
  hostname: string
  /** From the root of every hierarchy. */
  cgroupsPath: string
  files: Readonly<Record<string, string>>
  /** The profile chosen, given the container's capabilities. */
  seccomp: (capabilities: readonly string[]) => Seccomp | undefined
  /** Device nodes asked for, with the access the caller wants (`rwm`). */
  devices: readonly { device: Device; access: string }[]
  host: HostLimits
}

export interface HostLimits {
  /** Capabilities this process may hand on. */
  capabilities: readonly string[]
  /** Without CAP_SYS_RESOURCE no process may go below the value it was started with. */
  oomScoreAdjMin: number
  /** AppArmor profiles are enforced here. */
  appArmor?: boolean
}

/**
 * The runtime specification of one container of a pod. Pure: the same request gives the same spec. The pod's
 * namespaces have no path here, they are joined by descriptor. INVALID_ARGUMENT and UNIMPLEMENTED name what cannot be
 * had.
 */
export function buildSpec(request: SpecRequest): Spec {
  const { config, sandbox, files } = request
  const { ipc, idMaps } = podNamespaces(sandbox)
  const security = config.linux?.securityContext
  const privileged = security?.privileged ?? false
  const propagation = rootfsPropagation(config.mounts)
  const readonlyRootfs = security?.readonlyRootfs ?? false
  const process = buildProcess(request)
  const seccomp = request.seccomp(process.capabilities?.bounding ?? [])
  return {
    ociVersion: '1.2.0',
    process,
    root: { path: 'rootfs', readonly: readonlyRootfs },
    mounts: containerMounts({
      mounts: config.mounts,
      privileged,
      readonlyRootfs,
      files,
      sharedMemory: ipc === 'pod' ? 'pinned' : 'host',
    }),
    annotations: {
      'io.kubernetes.cri.container-type': 'container',
      'io.kubernetes.cri.container-name': config.metadata?.name ?? '',
      'io.kubernetes.cri.sandbox-name': sandbox.metadata?.name ?? '',
      'io.kubernetes.cri.sandbox-namespace': sandbox.metadata?.namespace ?? '',
      'io.kubernetes.cri.sandbox-uid': sandbox.metadata?.uid ?? '',
    },
    linux: {
      cgroupsPath: request.cgroupsPath,
      namespaces: namespaces(request),
      ...(idMaps ? { uidMappings: idMaps.uids, gidMappings: idMaps.gids } : {}),
      devices: request.devices.map(({ device }) => device),
      resources: {
        ...ociResources(config.linux?.resources),
        devices: deviceRules(privileged, request.devices.map(ruleOf)),
      },
      ...(propagation ? { rootfsPropagation: propagation } : {}),
      ...(privileged
        ? {}
        : { maskedPaths: security?.maskedPaths ?? [], readonlyPaths: security?.readonlyPaths ?? [] }),
      ...(seccomp ? { seccomp } : {}),
    },
  }
}

export type ProcessRequest = Pick<SpecRequest, 'config' | 'image' | 'user' | 'hostname' | 'host'>

/** The process part alone; an exec starts from it. */
export function buildProcess({ config, image, user, hostname, host }: ProcessRequest): Process {
  const security = config.linux?.securityContext
  const apparmor = appArmorProfile(security, host.appArmor === true)
  const oomScoreAdj = Number(config.linux?.resources?.oomScoreAdj ?? 0n)
  return {
    terminal: config.tty,
    cwd: workingDirectory(config, image.config),
    args: processArgs(config, image.config),
    env: processEnv(config, image.config, hostname),
    user,
    capabilities: containerCapabilities(security, host.capabilities),
    noNewPrivileges: security?.noNewPrivs ?? false,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    oomScoreAdj: Math.max(oomScoreAdj, host.oomScoreAdjMin),
  }
}

function namespaces({ config, sandbox }: SpecRequest): Namespace[] {
  const pod = podNamespaces(sandbox)
  const pid = containerPid(config.linux?.securityContext?.namespaceOptions, pod)
  return [
    { type: 'mount' },
    { type: 'cgroup' },
    ...(pid.kind === 'host' ? [] : [{ type: 'pid' }]),
    ...(pod.idMaps ? [{ type: 'user' }] : []),
    ...(pod.network === 'pod' ? [{ type: 'network' }] : []),
    ...(pod.ipc === 'pod' ? [{ type: 'ipc' }] : []),
    ...(pod.uts === 'pod' ? [{ type: 'uts' }] : []),
  ]
}

function ruleOf({ device, access }: { device: Device; access: string }) {
  const { type, major, minor } = device
  return {
    allow: true,
    type,
    access,
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
  }
}
