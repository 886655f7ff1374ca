import { posix } from 'node:path'
import { type Mount as CriMount, MountPropagation } from '../../../cri/types.ts'
import { KeelsonError } from '../../base/index.ts'
import { deviceMounts, type Mount } from '../../oci/index.ts'
import { ociMappings } from './id-maps.ts'

export interface MountsRequest {
  mounts: readonly CriMount[]
  privileged: boolean
  readonlyRootfs: boolean
  /** The pod's files on the host by the place they take: /etc/hosts, /etc/hostname, /etc/resolv.conf. */
  files: Readonly<Record<string, string>>
  /** The pod's own tmpfs comes as a descriptor (`pinned`); with the host's IPC namespace it is the host's directory. */
  sharedMemory: 'pinned' | 'host'
}

/**
 * All mounts in an order in which none hides another: the ones every container has, the pod's files, then the
 * caller's. What the caller mounts at one of these places takes its place.
 */
export function containerMounts(request: MountsRequest): Mount[] {
  const own = request.mounts.map(callersMount)
  const taken = new Set(own.map(({ destination }) => destination))
  const standard = [...kernelMounts(request), ...fileMounts(request)]
  const all = [...standard.filter(({ destination }) => !taken.has(destination)), ...own]
  return all
    .map((mount, index) => ({ mount, index }))
    .sort(byDepth)
    .map(({ mount }) => mount)
}

/** What rootfs propagation the caller's mounts need (mount_namespaces(7)): private unless something must travel. */
export function rootfsPropagation(mounts: readonly CriMount[]): string | undefined {
  const asked = mounts.map(({ propagation }) => propagation)
  if (asked.includes(MountPropagation.PROPAGATION_BIDIRECTIONAL)) return 'rshared'
  return asked.includes(MountPropagation.PROPAGATION_HOST_TO_CONTAINER) ? 'rslave' : undefined
}

/** Its source is handed in with the container: no other mount at its place may be given that. */
export const podSharedMemory: Mount = {
  destination: '/dev/shm',
  type: 'bind',
  source: 'shm',
  options: ['bind', 'nosuid', 'noexec', 'nodev'],
}

const hostSharedMemory: Mount = {
  destination: '/dev/shm',
  type: 'bind',
  source: '/dev/shm',
  options: ['rbind', 'rw'],
}

function kernelMounts({ privileged, sharedMemory }: MountsRequest): Mount[] {
  const access = privileged ? 'rw' : 'ro'
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    deviceMounts.dev,
    deviceMounts.pts,
    deviceMounts.mqueue,
    sharedMemory === 'pinned' ? podSharedMemory : hostSharedMemory,
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', access],
    },
  ]
}

function fileMounts({ files, readonlyRootfs }: MountsRequest): Mount[] {
  const options = ['rbind', 'rprivate', readonlyRootfs ? 'ro' : 'rw']
  return Object.entries(files).map(([destination, source]) => ({
    destination,
    type: 'bind',
    source,
    options,
  }))
}

function callersMount(mount: CriMount): Mount {
  checkMount(mount)
  const destination = posix.resolve('/', mount.containerPath)
  if (mount.containerPath === '' || destination === '/')
    throw invalid(`a mount needs a place inside the container, not ${JSON.stringify(mount.containerPath)}`)
  const options = ['rbind', propagationWord(mount.propagation), mount.readonly ? 'ro' : 'rw']
  if (mount.recursiveReadOnly) options.push('rro')
  options.push(...mountOptions(mount))
  const source = mount.image?.image ? `image ${mount.image.image}` : mount.hostPath
  const maps = mount.uidMappings.length + mount.gidMappings.length > 0
  return {
    destination,
    type: 'bind',
    source,
    options: mount.image?.image ? [...options, 'nosuid', 'nodev'] : options,
    ...(maps
      ? { uidMappings: ociMappings(mount.uidMappings), gidMappings: ociMappings(mount.gidMappings) }
      : {}),
  }
}

function checkMount(mount: CriMount): void {
  if (mount.image?.image) {
    checkImageVolume(mount)
    return
  }
  if (mount.hostPath === '') throw invalid(`the mount at ${mount.containerPath} names no host path`)
  if (!mount.recursiveReadOnly) return
  if (!mount.readonly || mount.propagation !== MountPropagation.PROPAGATION_PRIVATE)
    throw invalid(
      `the mount at ${mount.containerPath}: recursive read-only needs readonly and private propagation`,
    )
}

/** What a mount may have beside its own fields (CRI 1.37): each only takes something away. */
const restrictions = new Set([
  'nosuid',
  'nodev',
  'noexec',
  'noatime',
  'nodiratime',
  'relatime',
  'nosymfollow',
])

function mountOptions({ containerPath, mountOptions: asked }: CriMount): string[] {
  const wrong = asked.find((one) => !restrictions.has(one))
  if (wrong === undefined) return asked
  throw invalid(`the mount at ${containerPath}: ${JSON.stringify(wrong)} is no option of a mount`)
}

function checkImageVolume({ containerPath, hostPath, readonly, propagation }: CriMount): void {
  const wrongs: [boolean, string][] = [
    [hostPath !== '', 'an image and a host path'],
    [!readonly, 'an image that is not read-only'],
    [propagation !== MountPropagation.PROPAGATION_PRIVATE, 'an image that is to be propagated'],
  ]
  const [, what] = wrongs.find(([isWrong]) => isWrong) ?? []
  if (what) throw invalid(`the mount at ${containerPath} names ${what}`)
}

function propagationWord(propagation: MountPropagation): string {
  if (propagation === MountPropagation.PROPAGATION_BIDIRECTIONAL) return 'rshared'
  return propagation === MountPropagation.PROPAGATION_HOST_TO_CONTAINER ? 'rslave' : 'rprivate'
}

/** Parents before what lies inside them; among equals the order given. */
function byDepth(a: { mount: Mount; index: number }, b: { mount: Mount; index: number }): number {
  return depth(a.mount) - depth(b.mount) || a.index - b.index
}

function depth({ destination }: Mount): number {
  return destination.split('/').filter((name) => name !== '').length
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message)
}
