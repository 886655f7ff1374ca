import * as cri from '../../cri/types.ts'
import type { Container, Pod, SELinuxOptions, SeccompProfile, SecurityContext } from '../api/index.ts'
import { KeelsonError } from '../base/index.ts'

const { RuntimeDefault, Unconfined, Localhost } = cri.SecurityProfile_ProfileType

/** Paths under /proc and /sys that a container may not see, respectively not write (procMount Default). */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

export interface SecurityOptions {
  /** Where `localhostProfile` names are looked up. */
  seccompDirectory: string
}

function namespaceOptions(pod: Pod): cri.NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers } = pod.spec ?? {}
  if (hostUsers === false)
    throw new KeelsonError('UNIMPLEMENTED', 'hostUsers: false (user namespaces) is not supported yet')
  const { POD, CONTAINER, NODE } = cri.NamespaceMode
  return cri.NamespaceOption.fromPartial({
    network: hostNetwork ? NODE : POD,
    ipc: hostIPC ? NODE : POD,
    pid: hostPID ? NODE : shareProcessNamespace ? POD : CONTAINER,
  })
}

/** The sandbox's share of the pod's security context. */
export function sandboxSecurity(pod: Pod, options: SecurityOptions): cri.LinuxSandboxSecurityContext {
  const own = pod.spec?.securityContext ?? {}
  return cri.LinuxSandboxSecurityContext.fromPartial({
    namespaceOptions: namespaceOptions(pod),
    runAsUser: int64(own.runAsUser),
    runAsGroup: int64(own.runAsGroup),
    supplementalGroups: groups(pod),
    supplementalGroupsPolicy: groupsPolicy(pod),
    selinuxOptions: selinux(own.seLinuxOptions),
    privileged: [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].some(
      ({ securityContext }) => securityContext?.privileged,
    ),
    seccomp: seccomp(own.seccompProfile, options) ?? { profileType: RuntimeDefault, localhostRef: '' },
  })
}

/** A container's security context: its own fields win over the pod's. */
export function containerSecurity(
  pod: Pod,
  container: Container,
  options: SecurityOptions,
): cri.LinuxContainerSecurityContext {
  const shared = pod.spec?.securityContext ?? {}
  const own = container.securityContext ?? {}
  const privileged = own.privileged === true
  const open = privileged || own.procMount === 'Unmasked'
  const user = own.runAsUser ?? shared.runAsUser
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && user === 0)
    throw new KeelsonError('FAILED_PRECONDITION', "container's runAsUser breaks non-root policy")
  return cri.LinuxContainerSecurityContext.fromPartial({
    privileged,
    namespaceOptions: namespaceOptions(pod),
    capabilities: capabilities(own),
    runAsUser: int64(user),
    runAsGroup: int64(own.runAsGroup ?? shared.runAsGroup),
    supplementalGroups: groups(pod),
    supplementalGroupsPolicy: groupsPolicy(pod),
    selinuxOptions: selinux(own.seLinuxOptions ?? shared.seLinuxOptions),
    readonlyRootfs: own.readOnlyRootFilesystem === true,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: open ? [] : maskedPaths,
    readonlyPaths: open ? [] : readonlyPaths,
    seccomp: privileged ? undefined : seccomp(own.seccompProfile ?? shared.seccompProfile, options),
    apparmor: apparmor(own, shared),
  })
}

function capabilities({ capabilities: own }: SecurityContext): cri.Capability {
  return cri.Capability.fromPartial({ addCapabilities: own?.add ?? [], dropCapabilities: own?.drop ?? [] })
}

/** No profile in the pod means unconfined, as upstream without SeccompDefault. */
function seccomp(
  profile: SeccompProfile | undefined,
  { seccompDirectory }: SecurityOptions,
): cri.SecurityProfile | undefined {
  if (!profile) return undefined
  if (profile.type === 'Localhost')
    return { profileType: Localhost, localhostRef: `${seccompDirectory}/${profile.localhostProfile ?? ''}` }
  return { profileType: profile.type === 'RuntimeDefault' ? RuntimeDefault : Unconfined, localhostRef: '' }
}

function apparmor(own: SecurityContext, shared: Pick<SecurityContext, 'appArmorProfile'>) {
  const profile = own.appArmorProfile ?? shared.appArmorProfile
  if (!profile) return undefined
  const types: Record<string, cri.SecurityProfile_ProfileType> = { Localhost, RuntimeDefault, Unconfined }
  return { profileType: types[profile.type] ?? RuntimeDefault, localhostRef: profile.localhostProfile ?? '' }
}

/** fsGroup and supplementalGroups of the pod; every process of it is a member. */
function groups(pod: Pod): bigint[] {
  const { fsGroup, supplementalGroups = [] } = pod.spec?.securityContext ?? {}
  return [...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups].map(BigInt)
}

function groupsPolicy(pod: Pod): cri.SupplementalGroupsPolicy {
  const strict = pod.spec?.securityContext?.supplementalGroupsPolicy === 'Strict'
  return strict ? cri.SupplementalGroupsPolicy.Strict : cri.SupplementalGroupsPolicy.Merge
}

function selinux(options: SELinuxOptions | undefined): cri.SELinuxOption | undefined {
  if (!options) return undefined
  const { user = '', role = '', type = '', level = '' } = options
  return { user, role, type, level }
}

function int64(value: number | undefined): cri.Int64Value | undefined {
  return value === undefined ? undefined : { value: BigInt(value) }
}
