import { closeSync, readlinkSync, renameSync, symlinkSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, KeelsonError, type Logger } from '../base/index.ts'
import { whichExist } from './directory.ts'
import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'
import { parseSysctlName } from './sysctl-name.ts'

/**
 * The promise of the pod's namespaces: network, IPC and UTS namespaces and the pod's /dev/shm, and what a process of
 * the pod's made (its PID and user namespaces), pinned as bind mounts in one private mount namespace of keelson's own. No process is needed to keep them (but a
 * PID namespace ends with its first process), and they stay when the daemon ends. How it looks in the kernel: native/kernel/namespace-pins.hpp.
 */
export interface NamespacePins extends AsyncDisposable {
  /** Makes and pins what is asked for. A pin set of this id that exists is removed first. */
  create(request: PinRequest): Promise<void>
  /** Opens a namespace (setns, netlink) or the detached /dev/shm tree (move_mount). NOT_FOUND when not pinned or no nsfs. */
  open(id: string, kind: PinKind): Promise<OwnedFd>
  /**
   * A path of the network namespace for programs that we start, the same for every process of this run directory:
   * `<run directory>/netns/<id>/network`. It leads through a descriptor of this process, so it holds while this
   * process and the pin do, and again once the next process has been asked for a path.
   */
  networkPath(id: string): string
  /**
   * Unpins; what is missing is no error. Links inside are not deleted: the kernel does that by itself, a little
   * later, once nothing else (a process, a descriptor) holds the namespace.
   */
  remove(id: string): Promise<void>
  list(): Promise<string[]>
}

/** Pins of which one set may become another's. */
export interface ClaimablePins extends NamespacePins {
  /** Gives a set that has everything the request asks for its id, hostname and further settings. */
  claim(from: string, request: PinRequest): Promise<void>
}

export type NamespacePin = 'network' | 'ipc' | 'uts' | 'pid' | 'user'
export type PinKind = NamespacePin | 'shm'

export interface PinRequest {
  /** 1–64 characters of [a-zA-Z0-9_.-]. */
  id: string
  network: boolean
  ipc: boolean
  uts?: { hostname: string }
  /** Size of the tmpfs on /dev/shm; absent: none. */
  shmSizeBytes?: number
  /** Root of the pod, as the host sees it: owns that tmpfs, and the IPC settings are its. Default root. */
  owner?: { uid: number; gid: number }
  /** Namespaces that are there already, each pinned in place of a new one. Borrowed. */
  namespaceFds?: Partial<Record<NamespacePin, number>>
  /**
   * Namespaced sysctls (`net.…`, `kernel.shm…`, `fs.mqueue.…`), written from inside the new namespaces.
   * INVALID_ARGUMENT when the namespace they belong to is not asked for: it would be the host's.
   */
  sysctls?: Readonly<Record<string, string>>
}

export interface NamespacePinsOptions {
  /** Made when absent. Two mounts appear below it, at `pins`; see `removePinNamespace`. */
  runDirectory: string
  log: Logger
}

declare module './native.ts' {
  interface Native {
    openPinNamespace(runDirectory: string): Promise<{ mountNamespace: number; root: number }>
    removePinNamespace(runDirectory: string): Promise<void>
    createPins(mountNamespace: number, request: NativePinRequest): Promise<void>
    claimPins(root: number, from: string, request: NativePinRequest): Promise<void>
    removePins(mountNamespace: number, id: string): Promise<void>
    openPin(root: number, id: string, kind: string): number
    clonePinnedShm(mountNamespace: number, id: string): Promise<number>
  }
}

interface NativePinRequest {
  id: string
  network: boolean
  ipc: boolean
  hostname?: string
  shmSizeBytes: number
  ownerUid: number
  ownerGid: number
  made: [kind: string, fd: number][]
  sysctls: [path: string, value: string][]
}

/** Finds the pins of this run directory, made by whichever process, or starts with none. */
export async function openNamespacePins(options: NamespacePinsOptions): Promise<ClaimablePins> {
  await mkdir(options.runDirectory, { recursive: true, mode: 0o700 })
  const { mountNamespace, root } = await native.openPinNamespace(options.runDirectory)
  options.log.debug('opened the namespace pins', { runDirectory: options.runDirectory })
  return {
    async create(request) {
      await native.createPins(mountNamespace, nativeRequest(request))
    },
    async claim(from, request) {
      checkId(from)
      await native.claimPins(root, from, nativeRequest(request))
    },
    async open(id, kind) {
      checkId(id)
      if (kind === 'shm') return ownFd(await native.clonePinnedShm(mountNamespace, id))
      return ownFd(native.openPin(root, id, kind))
    },
    networkPath(id) {
      checkId(id)
      return join(pointAt(join(options.runDirectory, doorName), root), id, 'network')
    },
    async remove(id) {
      checkId(id)
      // Often asked for twice, when a pod is stopped and when it is removed. Only who may enter that mount namespace
      // can remove, which takes a thread its turn; to look there it takes none.
      const [isThere] = whichExist([join(directoryOf(root), id)])
      if (isThere) await native.removePins(mountNamespace, id)
    },
    // A directory of another mount namespace, reached through its descriptor.
    list: () => readdir(directoryOf(root)),
    async [Symbol.asyncDispose]() {
      closeSync(mountNamespace)
      closeSync(root)
    },
  }
}

/** Lets go of all pins of this run directory at once; no mount of ours stays. For `keelson down`. */
export async function removePinNamespace(options: { runDirectory: string }): Promise<void> {
  await rm(join(options.runDirectory, doorName), { force: true })
  await native.removePinNamespace(options.runDirectory)
}

function directoryOf(root: number): string {
  return `/proc/self/fd/${root}`
}

const doorName = 'netns'

/** Makes the link lead to our descriptor, whoever's it led to. Others see the old one or the new one. */
function pointAt(link: string, fd: number): string {
  const target = `/proc/${process.pid}/fd/${fd}`
  if (targetOf(link) === target) return link
  const temporary = `${link}.${process.pid}`
  symlinkSync(target, temporary)
  renameSync(temporary, link)
  return link
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function nativeRequest(request: PinRequest): NativePinRequest {
  const { id, network, ipc, uts, shmSizeBytes, owner, namespaceFds = {} } = request
  checkId(id)
  const sysctls = Object.entries(request.sysctls ?? {}).map(([name, value]): [string, string] => {
    const sysctl = parseSysctlName(name)
    if (request[sysctl.namespace] || namespaceFds[sysctl.namespace] !== undefined) return [sysctl.path, value]
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `sysctl "${name}" needs a ${sysctl.namespace} namespace of the pod's own`,
      {
        op: 'create namespaces',
        id,
        path: name,
      },
    )
  })
  return {
    id,
    network: network && namespaceFds.network === undefined,
    ipc: ipc && namespaceFds.ipc === undefined,
    ...(uts && namespaceFds.uts === undefined ? { hostname: uts.hostname } : {}),
    shmSizeBytes: shmSizeBytes ?? 0,
    ownerUid: owner?.uid ?? 0,
    ownerGid: owner?.gid ?? 0,
    made: Object.entries(namespaceFds),
    sysctls,
  }
}

function checkId(id: string): void {
  if (/^[a-zA-Z0-9_.-]{1,64}$/.test(id) && id !== '.' && id !== '..') return
  throw new KeelsonError(
    'INVALID_ARGUMENT',
    `"${id}" is not 1 to 64 characters of letters, digits, "_", "." and "-"`,
    {
      op: 'namespace pins',
    },
  )
}
