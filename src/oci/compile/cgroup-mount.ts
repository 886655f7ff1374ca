import { basename, posix } from 'node:path'
import type { CgroupHierarchy } from '../cgroup/layout.ts'
import type { MountOptions } from '../mount-options.ts'
import { MOUNT_ATTR } from '../mount-options.ts'
import { noBytes } from '../plan/constants.ts'
import type { Operation } from '../plan/operations.ts'
import type { Mount } from '../spec.ts'
import type { CompileRequest } from './request.ts'

/**
 * /sys/fs/cgroup of the container. With a cgroup namespace the file systems are mounted anew and show the
 * container's own group as their root; without one its directories are bound. v1 has one directory per hierarchy
 * on a small tmpfs, with a link for each controller of a combined one.
 */
export function compileCgroupMount(
  mount: Mount,
  options: MountOptions,
  { cgroup, cgroupLayout }: CompileRequest,
  unshared: boolean,
): Operation[] {
  if (!cgroup) return []
  const attributes = BigInt(options.attributes.set)
  const { v1, v2, mode } = cgroupLayout
  if (mode === 'v2') return v2 ? [hierarchy(mount.destination, v2, [], 'cgroup2')] : []
  return [
    filesystem('tmpfs', mount.destination, ['mode=755', 'size=64k'], attributes & ~BigInt(MOUNT_ATTR.RDONLY)),
    ...v1.flatMap((one) => [
      hierarchy(posix.join(mount.destination, basename(one.mountPoint)), one, one.controllers, 'cgroup'),
      ...links(mount.destination, one),
    ]),
    ...(v2 ? [hierarchy(posix.join(mount.destination, basename(v2.mountPoint)), v2, [], 'cgroup2')] : []),
    ...(attributes & BigInt(MOUNT_ATTR.RDONLY)
      ? [{ op: 'changeMount', path: mount.destination, set: BigInt(MOUNT_ATTR.RDONLY), clear: 0n } as const]
      : []),
  ]

  function hierarchy(target: string, one: CgroupHierarchy, words: string[], type: string): Operation {
    if (unshared) return filesystem(type, target, words, attributes)
    const leaf = cgroup?.leaves.find((path) => path.startsWith(`${one.mountPoint}/`))
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
