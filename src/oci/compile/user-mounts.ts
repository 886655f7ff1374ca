import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { MOUNT_ATTR, type MountOptions } from '../mount-options.ts'
import type { Mount } from '../spec.ts'
import type { NamespacePlan } from './namespaces.ts'

/** What a user namespace changes about mounts. */

/** sysfs shows a network namespace and may only be mounted by its owner, which a user namespace without one is not. */
export function isForeignNetwork(namespaces: NamespacePlan): boolean {
  return namespaces.user !== 'none' && !namespaces.has('network')
}

/** The host's /sys in its place, with everything below it and nothing of it writable. */
export function boundSys(mount: Mount, options: MountOptions): [Mount, MountOptions] {
  const set = options.attributes.set | options.recursive.set | MOUNT_ATTR.RDONLY
  return [
    { ...mount, type: 'bind', source: '/sys' },
    {
      ...options,
      bind: true,
      recursiveBind: true,
      attributes: { set: 0, clear: 0 },
      recursive: { set, clear: 0 },
    },
  ]
}

/**
 * With /sys of the host comes its /sys/fs/cgroup, where an ordinary user may own groups outside of the container
 * (CVE-2023-25809): everything below is read-only, whatever the mount itself says.
 */
export function guardSys(mount: Mount, options: MountOptions, namespaces: NamespacePlan): MountOptions {
  const isSys = posix.normalize(`${mount.source}/`).startsWith('/sys/')
  if (namespaces.user === 'none' || !options.recursiveBind || !isSys) return options
  return { ...options, recursive: { set: options.recursive.set | MOUNT_ATTR.RDONLY, clear: 0 } }
}

/** The kernel maps ids of a copy of a mount, not of a file system that is new. */
export function refuseMap(mount: Mount, options: MountOptions, path: string): void {
  if (!options.idmap && !mount.uidMappings?.length && !mount.gidMappings?.length) return
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: only a bind mount can have a map of ids`, {
    path,
    hint: 'add the option bind or rbind, or leave the map out',
  })
}
