/** What a checkpoint and a restore take: runc's options, by the names of this language. */
export interface CriuOptions {
  /** Where the images lie; made when absent. */
  imagePath: string
  /** Where criu writes its logs; default the images' directory. */
  workPath?: string
  tcpEstablished?: boolean
  externalUnixSockets?: boolean
  shellJob?: boolean
  fileLocks?: boolean
  lazyPages?: boolean
  autoDedup?: boolean
  manageCgroups?: CgroupsMode
  /** Make such a namespace and leave it as it is. */
  emptyNamespace?: 'network'
}

export const cgroupsModes = ['soft', 'full', 'strict', 'ignore'] as const
export type CgroupsMode = (typeof cgroupsModes)[number]

export interface CheckpointOptions extends CriuOptions {
  /** Images of the pre-dump before, relative to `imagePath`. */
  parentPath?: string
  leaveRunning?: boolean
  /** Memory only, and the container goes on. */
  preDump?: boolean
  linkRemap?: boolean
  tcpSkipInFlight?: boolean
  pageServer?: { address: string; port: number }
  /** Namespaces that are not the container's own although its specification gives no path for them. */
  externalNamespaces?: readonly ('net' | 'pid')[]
  /** Ends criu, and the container goes on. */
  signal?: AbortSignal
  /** criu writes a NUL byte there when lazy pages can be asked for. */
  statusFd?: number
}

export interface RestoreOptions extends CriuOptions {
  /** `apparmor:NAME` or `selinux:NAME`. */
  lsmProfile?: string
  lsmMountContext?: string
}
