import { isAbsolute, join, posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { type MountOptions, MS, parseMountOptions } from '../mount-options.ts'
import { mountFlags, words } from '../plan/constants.ts'
import type { Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import { shown } from '../shown.ts'
import type { Mount } from '../spec.ts'
import { compileCgroupMount } from './cgroup-mount.ts'
import type { HostTrees } from './host-trees.ts'
import { contextOption, labelled } from './mount-label.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'
import { boundInstead, guardSys, isForeign, refuseMap } from './user-mounts.ts'

/** The mounts of the specification, in its order. */
export function compileMounts(
  request: CompileRequest,
  slots: Slots,
  namespaces: NamespacePlan,
  trees: HostTrees,
): Operation[] {
  return (request.spec.mounts ?? []).flatMap((given, index) => {
    const path = `mounts[${index}]`
    const mount = { ...given, destination: absoluteDestination(given) }
    const options = guardSys(mount, parseMountOptions(mount.options), namespaces)
    if (options.remount) return remount(mount, options)
    const tree = request.mountFds[given.destination]
    const stack = request.layerMounts?.[given.destination]
    const isBind = tree !== undefined || stack !== undefined || options.bind || mount.type === 'bind'
    const flags = targetFlags(mount, options, isBind, path)
    if (tree !== undefined) {
      const handed = trees.handedIn(slots.inherit(tree), mount, options, path)
      return [{ op: 'mountTree', tree: handed, ...placing(mount, options, flags) }]
    }
    if (stack)
      return [
        {
          op: 'mountTree',
          tree: trees.layers(stack, mount, options, path),
          ...placing(mount, options, flags),
        },
      ]
    if (mount.type === 'cgroup' || mount.type === 'cgroup2')
      return compileCgroupMount(mount, options, request, namespaces)
    if (isBind) return [bind(mount, options, flags, request.bundle, trees, path)]
    refuseMap(mount, options, path)
    if (isForeign(mount, namespaces))
      return [bind(...boundInstead(mount, options), flags, request.bundle, trees, path)]
    return [filesystem(mount, options, flags, labelOption(request, mount))]
  })
}

/** Old configurations have relative destinations; they mean paths below the root (config.md, mounts). */
function absoluteDestination({ destination }: Mount): string {
  return destination.startsWith('/') ? destination : `/${destination}`
}

/** What may be put over files of /proc: the ones that lxcfs and engines replace (as runc). */
const replaceableProcFiles = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/net/dev',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/uptime',
])

const realTargets = new Set(['proc', 'sysfs'])

/**
 * What may be at the destination. /proc takes nothing but a procfs, and almost nothing may be put over its files: a
 * volume there could take the writes of labels and settings (CVE-2019-16884). keelson-init checks the same on what it
 * finds at the end of the path, for destinations that lead there by a symlink.
 */
function targetFlags(mount: Mount, options: MountOptions, isBind: boolean, path: string): number {
  const place = normalised(mount.destination)
  const nofollow = options.destinationNofollow ? mountFlags.targetNofollow : 0
  if (place === '/proc') {
    if (!isBind && mount.type !== 'proc')
      throw refusedOverProc(
        `${path}.type`,
        `/proc takes no ${mount.type?.slice(0, 80) ?? 'tmpfs'}`,
        'mount proc there',
      )
    return nofollow | mountFlags.realTarget | mountFlags.overProc | (isBind ? mountFlags.sourceProc : 0)
  }
  const isRealTarget = !isBind && realTargets.has(mount.type ?? '')
  if (replaceableProcFiles.has(place)) return nofollow | mountFlags.overProc
  if (place.startsWith('/proc/'))
    throw refusedOverProc(
      `${path}.destination`,
      `${shown(place)} lies inside /proc`,
      `only these files may be replaced: ${[...replaceableProcFiles].join(', ')}`,
    )
  return nofollow | (isRealTarget ? mountFlags.realTarget : 0)
}

/** Without a slash at its end. */
function normalised(path: string): string {
  const joined = posix.join(path, '.')
  return joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined
}

function refusedOverProc(path: string, message: string, hint: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}

function placing(mount: Mount, { attributes, recursive, propagation }: MountOptions, flags: number) {
  return {
    target: mount.destination,
    flags,
    set: BigInt(attributes.set),
    clear: BigInt(attributes.clear),
    recursiveSet: BigInt(recursive.set),
    recursiveClear: BigInt(recursive.clear),
    propagation: words(propagation),
  }
}

function bind(
  mount: Mount,
  options: MountOptions,
  flags: number,
  bundle: string,
  trees: HostTrees,
  path: string,
): Operation {
  const source = isAbsolute(mount.source ?? '') ? (mount.source ?? '') : join(bundle, mount.source ?? '')
  const tree = trees.bind(source, mount, options, path)
  if (tree !== undefined) return { op: 'mountTree', tree, ...placing(mount, options, flags) }
  const own =
    (options.recursiveBind ? mountFlags.recursive : 0) |
    (options.sourceNofollow ? mountFlags.sourceNofollow : 0) |
    (options.copySymlink ? mountFlags.copySymlink : 0)
  return {
    op: 'mountBind',
    source,
    ...placing(mount, options, flags | own),
  }
}

function filesystem(mount: Mount, options: MountOptions, flags: number, label: string[]): Operation {
  const type = mount.type ?? 'tmpfs'
  const { attributes, recursive, propagation, data } = options
  const isTmpfs = type === 'tmpfs'
  const hasMode = data.some((one) => one.startsWith('mode='))
  return {
    op: 'mountFilesystem',
    type,
    source: mount.source ?? type,
    target: mount.destination,
    options: [...superblockWords(options, type), ...data.map(contextOption), ...label],
    attributes: BigInt((attributes.set & ~recursive.clear) | recursive.set),
    flags:
      flags |
      (isTmpfs && options.tmpcopyup ? mountFlags.copyUp : 0) |
      (isTmpfs && !hasMode ? mountFlags.keepMode : 0),
    propagation: words(propagation),
  }
}

function labelOption({ spec: { linux, annotations } }: CompileRequest, { type }: Mount): string[] {
  return linux?.mountLabel ? labelled(type ?? 'tmpfs', linux.mountLabel, annotations) : []
}

/** Of what an earlier mount of the list, or the image's root, has at the destination. */
function remount({ destination: path }: Mount, options: MountOptions): Operation[] {
  const { flags, clearedFlags, attributes, recursive, data } = options
  const set = BigInt((attributes.set & ~recursive.clear) | recursive.set)
  const clear = BigInt((attributes.clear & ~recursive.set) | recursive.clear)
  if (options.bind) return [{ op: 'changeMount', path, set, clear }]
  const access = (flags & MS.RDONLY) !== 0 ? ['ro'] : (clearedFlags & MS.RDONLY) !== 0 ? ['rw'] : []
  const words = [...access, ...superblockWords(options, 'tmpfs'), ...data.map(contextOption)]
  return [{ op: 'reconfigureMount', path, options: words, set, clear }]
}

/** File systems of the kernel's own: their superblocks are shared, and being read-only is the mount's affair. */
const withoutDevice = new Set([
  'proc',
  'sysfs',
  'tmpfs',
  'devpts',
  'mqueue',
  'ramfs',
  'devtmpfs',
  'securityfs',
])

/** What belongs to the file system and not to the mount is named by words in the new mount API. */
function superblockWords({ flags }: MountOptions, type: string): string[] {
  const names: [number, string][] = [
    [MS.RDONLY, withoutDevice.has(type) ? '' : 'ro'],
    [MS.SYNCHRONOUS, 'sync'],
    [MS.DIRSYNC, 'dirsync'],
    [MS.LAZYTIME, 'lazytime'],
    [MS.MANDLOCK, 'mand'],
  ]
  return names.filter(([bit, word]) => word !== '' && (flags & bit) !== 0).map(([, word]) => word)
}
