/**
 * The runtime specification's config.json as types (runtime-spec 1.3, config.md and config-linux.md). Field names
 * are the specification's; every field it calls optional is optional here.
 */
export interface Spec {
  ociVersion: string
  process?: Process
  root?: Root
  hostname?: string
  domainname?: string
  mounts?: Mount[]
  hooks?: Hooks
  annotations?: Record<string, string>
  linux?: Linux
}

export interface Root {
  path: string
  readonly?: boolean
}

export interface Mount {
  destination: string
  type?: string
  source?: string
  options?: string[]
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
}

export interface Process {
  terminal?: boolean
  consoleSize?: { height: number; width: number }
  cwd: string
  env?: string[]
  args?: string[]
  commandLine?: string
  user?: User
  capabilities?: Capabilities
  rlimits?: Rlimit[]
  noNewPrivileges?: boolean
  apparmorProfile?: string
  selinuxLabel?: string
  oomScoreAdj?: number
  ioPriority?: IoPriority
  scheduler?: Scheduler
  execCPUAffinity?: { initial?: string; final?: string }
}

/** sched_setattr(2). Times in nanoseconds. */
export interface Scheduler {
  policy: string
  nice?: number
  priority?: number
  flags?: string[]
  runtime?: number
  deadline?: number
  period?: number
}

export interface IoPriority {
  class: string
  priority?: number
}

export interface User {
  uid: number
  gid: number
  umask?: number
  additionalGids?: number[]
}

export interface Capabilities {
  bounding?: string[]
  effective?: string[]
  inheritable?: string[]
  permitted?: string[]
  ambient?: string[]
}

export interface Rlimit {
  type: string
  soft: number
  hard: number
}

export interface Hook {
  path: string
  args?: string[]
  env?: string[]
  /** Seconds. */
  timeout?: number
}

export interface Hooks {
  prestart?: Hook[]
  createRuntime?: Hook[]
  createContainer?: Hook[]
  startContainer?: Hook[]
  poststart?: Hook[]
  poststop?: Hook[]
}

export interface IdMapping {
  containerID: number
  hostID: number
  size: number
}

export interface Namespace {
  type: string
  path?: string
}

export interface Device {
  path: string
  type: string
  major?: number
  minor?: number
  fileMode?: number
  uid?: number
  gid?: number
}

export interface DeviceRule {
  allow: boolean
  type?: string
  major?: number
  minor?: number
  access?: string
}

export interface LinuxResources {
  devices?: DeviceRule[]
  memory?: {
    limit?: number
    reservation?: number
    swap?: number
    kernel?: number
    kernelTCP?: number
    swappiness?: number
    disableOOMKiller?: boolean
    useHierarchy?: boolean
    checkBeforeUpdate?: boolean
  }
  cpu?: {
    shares?: number
    quota?: number
    burst?: number
    period?: number
    realtimeRuntime?: number
    realtimePeriod?: number
    cpus?: string
    mems?: string
    idle?: number
  }
  pids?: { limit?: number }
  blockIO?: BlockIO
  hugepageLimits?: { pageSize: string; limit: number }[]
  network?: { classID?: number; priorities?: { name: string; priority: number }[] }
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>
  unified?: Record<string, string>
}

export interface BlockIO {
  weight?: number
  leafWeight?: number
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[]
  throttleReadBpsDevice?: ThrottleDevice[]
  throttleWriteBpsDevice?: ThrottleDevice[]
  throttleReadIOPSDevice?: ThrottleDevice[]
  throttleWriteIOPSDevice?: ThrottleDevice[]
}

export interface ThrottleDevice {
  major: number
  minor: number
  rate: number
}

export interface Seccomp {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[]
  flags?: string[]
  listenerPath?: string
  listenerMetadata?: string
  syscalls?: SeccompSyscall[]
}

export interface SeccompSyscall {
  names: string[]
  action: string
  errnoRet?: number
  /** Values of 64 bits: a number where it is exact, else a bigint. */
  args?: { index: number; value: number | bigint; valueTwo?: number | bigint; op: string }[]
}

export interface IntelRdt {
  closID?: string
  schemata?: string[]
  l3CacheSchema?: string
  memBwSchema?: string
  enableMonitoring?: boolean
}

export interface MemoryPolicy {
  mode: string
  nodes?: string
  flags?: string[]
}

export interface Linux {
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
  timeOffsets?: Record<string, { secs?: number; nanosecs?: number }>
  sysctl?: Record<string, string>
  resources?: LinuxResources
  cgroupsPath?: string
  namespaces?: Namespace[]
  devices?: Device[]
  netDevices?: Record<string, { name?: string }>
  seccomp?: Seccomp
  rootfsPropagation?: string
  maskedPaths?: string[]
  readonlyPaths?: string[]
  mountLabel?: string
  intelRdt?: IntelRdt
  memoryPolicy?: MemoryPolicy
  personality?: { domain: string; flags?: string[] }
}
