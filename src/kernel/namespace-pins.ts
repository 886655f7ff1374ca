/**
 * The promise of the pod's namespaces (DESIGN section 4): network, IPC and UTS namespaces and the pod's /dev/shm,
 * pinned as bind mounts in one private mount namespace of keelson's own. No process is needed to keep them, and
 * they stay when the daemon ends.
 */
export interface NamespacePins extends AsyncDisposable {
  /** Makes and pins what is asked for. A pin set of this id that exists is removed first. */
  create(request: PinRequest): Promise<void>
  /** Opens a namespace (setns, netlink) or the detached /dev/shm tree (move_mount). NOT_FOUND when not pinned or no nsfs. */
  open(id: string, kind: PinKind): Promise<OwnedFd>
  /** Unpins; what is missing is no error. */
  remove(id: string): Promise<void>
  list(): Promise<string[]>
}

export type PinKind = 'network' | 'ipc' | 'uts' | 'shm'

export interface PinRequest {
  /** 1–64 characters of [a-zA-Z0-9_.-]. */
  id: string
  network: boolean
  ipc: boolean
  uts?: { hostname: string }
  /** Size of the tmpfs on /dev/shm; absent: none. */
  shmSizeBytes?: number
  /** Namespaced sysctls (`net.…`, `kernel.shm…`, `fs.mqueue.…`), written from inside the new namespaces. */
  sysctls?: Readonly<Record<string, string>>
}

/** A descriptor with an owner: closed once, by dispose. */
export interface OwnedFd extends Disposable {
  readonly fd: number
}
