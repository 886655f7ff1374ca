import { basename, posix } from 'node:path'
import type { CgroupHierarchy } from '../cgroup/layout.ts'
import type { MountOptions } from '../mount-options.ts'
import { MOUNT_ATTR } from '../mount-options.ts'
import { noBytes } from '../plan/constants.ts'
import type { Operation } from '../plan/operations.ts'
import type { Mount } from '../spec.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'

/**
 * /sys/fs/cgroup of the container: its own group as the root of each hierarchy. v1 has one directory per hierarchy on
 * a small tmpfs, with a link for each controller of a combined one.
 */
export function compileCgroupMount(
  mount: Mount,
  options: MountOptions,
  request: CompileRequest,
  namespaces: Pick<NamespacePlan, 'unshareCgroup' | 'user'>,
): Operation[] {
  const { cgroup, cgroupLayout } = request
  if (!cgroup) return []
  const attributes = BigInt(options.attributes.set)
  const { v1, v2, mode } = cgroupLayout
  const place: Place = { ...namespaces, attributes, leaves: cgroup.leaves, v2 }
  const { destination } = mount
  if (mode === 'v2') return v2 ? [hierarchyOn(destination, v2, place)] : []
  return [
    filesystem('tmpfs', destination, ['mode=755', 'size=64k'], attributes & ~BigInt(MOUNT_ATTR.RDONLY)),
    ...hierarchiesOn(destination, v2 ? [...v1, v2] : v1, place),
    ...v1.flatMap((one) => links(destination, one)),
    ...(attributes & BigInt(MOUNT_ATTR.RDONLY)
      ? [{ op: 'changeMount', path: destination, set: BigInt(MOUNT_ATTR.RDONLY), clear: 0n } as const]
      : []),
  ]
}

interface Place extends Pick<NamespacePlan, 'unshareCgroup' | 'user'> {
  attributes: bigint
  leaves: readonly string[]
  v2: CgroupHierarchy | undefined
}

/** All at once where the container's own groups can be copied from the host's mounts as they are. */
function hierarchiesOn(
  destination: string,
  hierarchies: readonly CgroupHierarchy[],
  place: Place,
): Operation[] {
  const sources = hierarchies.map((one) => leafOf(one, place)).filter((leaf) => leaf !== undefined)
  const names = hierarchies.map(({ mountPoint }) => basename(mountPoint))
  const own = place.unshareCgroup && place.user === 'none' && sources.length === hierarchies.length
  if (own) return [{ op: 'bindGroups', names, sources, attributes: place.attributes }]
  return hierarchies.map((one, index) => hierarchyOn(posix.join(destination, names[index] ?? ''), one, place))
}

function leafOf({ mountPoint }: CgroupHierarchy, { leaves }: Place): string | undefined {
  return leaves.find((path) => path.startsWith(`${mountPoint}/`))
}

/**
 * With a cgroup namespace the file system is mounted anew and shows the container's group as its root; without one its
 * directory is bound.
 */
function hierarchyOn(target: string, one: CgroupHierarchy, place: Place): Operation {
  const { attributes, unshareCgroup, v2 } = place
  if (unshareCgroup)
    return one === v2
      ? filesystem('cgroup2', target, [], attributes)
      : filesystem('cgroup', target, one.controllers, attributes)
  const leaf = leafOf(one, place)
  return {
    op: 'mountBind',
    source: leaf ?? one.mountPoint,
    target,
    flags: 0,
    // Where the container has no group of its own it sees its creator's, and changes nothing there.
    set: leaf === undefined ? attributes | BigInt(MOUNT_ATTR.RDONLY) : attributes,
    clear: 0n,
    recursiveSet: 0n,
    recursiveClear: 0n,
    propagation: noBytes,
  }
}

function filesystem(type: string, target: string, options: string[], attributes: bigint): Operation {
  return {
    op: 'mountFilesystem',
    type,
    source: type,
    target,
    options,
    attributes,
    flags: 0,
    propagation: noBytes,
  }
}

function links(destination: string, { mountPoint, controllers }: CgroupHierarchy): Operation[] {
  const directory = basename(mountPoint)
  return controllers
    .map((name) => name.replace(/^name=/, ''))
    .filter((name) => name !== directory)
    .map((name) => ({ op: 'makeLink', path: posix.join(destination, name), target: directory }))
}
