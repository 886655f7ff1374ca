import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { MOUNT_ATTR, type MountOptions } from '../mount-options.ts'
import type { NamespaceType } from '../runtime.ts'
import type { Mount } from '../spec.ts'
import type { NamespacePlan } from './namespaces.ts'

/** What a user namespace changes about mounts. */

/** File systems that show a namespace, and where the host has them. */
const shows: Readonly<Record<string, { type: NamespaceType; place: string }>> = {
  sysfs: { type: 'network', place: '/sys' },
  proc: { type: 'pid', place: '/proc' },
  mqueue: { type: 'ipc', place: '/dev/mqueue' },
}

/**
 * Only who has rights over the namespace that they show may mount them, which a container in a user namespace has not
 * over the host's. sysfs is as good when the network namespace is another's: all it shows of it is a list of devices.
 */
export function isForeign({ type = '' }: Mount, namespaces: NamespacePlan): boolean {
  const shown = shows[type]?.type
  if (namespaces.user === 'none' || shown === undefined) return false
  return (
    !namespaces.has(shown) || (shown === 'network' && namespaces.user === 'new' && !namespaces.makes(shown))
  )
}

/** The host's own in its place, with everything below it; of /sys nothing can be written. */
export function boundInstead(mount: Mount, options: MountOptions): [Mount, MountOptions] {
  const set =
    options.attributes.set | options.recursive.set | (mount.type === 'sysfs' ? MOUNT_ATTR.RDONLY : 0)
  return [
    { ...mount, type: 'bind', source: shows[mount.type ?? '']?.place ?? '' },
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
