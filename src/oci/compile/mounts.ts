import { isAbsolute, join } from 'node:path'
import { type MountOptions, MS, parseMountOptions } from '../mount-options.ts'
import type { Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { Mount } from '../spec.ts'
import { compileCgroupMount } from './cgroup-mount.ts'
import { bindFlags, filesystemFlags } from './constants.ts'
import type { CompileRequest } from './request.ts'
import { unsupported } from './unsupported.ts'

/** The mounts of the specification, in its order. */
export function compileMounts(request: CompileRequest, slots: Slots, unshareCgroup: boolean): Operation[] {
  return (request.spec.mounts ?? []).flatMap((mount, index) => {
    const path = `mounts[${index}]`
    const options = parseMountOptions(mount.options)
    if (options.idmap || mount.uidMappings?.length) throw unsupported('an idmapped mount', path)
    if (options.tmpcopyup) throw unsupported('mount option tmpcopyup', path)
    const tree = request.mountFds[mount.destination]
    if (tree !== undefined) return [mountTree(mount, options, slots.inherit(tree))]
    if (mount.type === 'cgroup' || mount.type === 'cgroup2')
      return compileCgroupMount(mount, options, request, unshareCgroup)
    if (options.bind || mount.type === 'bind') return [bind(mount, options, request.bundle)]
    return filesystem(mount, options)
  })
}

function mountTree(mount: Mount, { attributes }: MountOptions, tree: number): Operation {
  const { set, clear } = attributes
  return { op: 'mountTree', tree, target: mount.destination, set: BigInt(set), clear: BigInt(clear) }
}

function bind(mount: Mount, options: MountOptions, bundle: string): Operation {
  const source = mount.source ?? ''
  return {
    op: 'mountBind',
    source: isAbsolute(source) ? source : join(bundle, source),
    target: mount.destination,
    flags: options.recursiveBind ? bindFlags.recursive : 0,
    set: BigInt(options.attributes.set),
    clear: BigInt(options.attributes.clear),
    recursiveSet: BigInt(options.recursive.set),
    recursiveClear: BigInt(options.recursive.clear),
    propagation: options.propagation.at(-1) ?? 0,
  }
}

const realTargets = new Set(['proc', 'sysfs'])

function filesystem(mount: Mount, options: MountOptions): Operation[] {
  const type = mount.type ?? 'tmpfs'
  return [
    {
      op: 'mountFilesystem',
      type,
      source: mount.source ?? type,
      target: mount.destination,
      options: [...superblockWords(options.flags), ...options.data],
      attributes: BigInt(options.attributes.set | options.recursive.set),
      flags: realTargets.has(type) ? filesystemFlags.realTarget : 0,
    },
  ]
}

/** What belongs to the file system and not to the mount is named by words in the new mount API. */
function superblockWords(flags: number): string[] {
  const words: [number, string][] = [
    [MS.SYNCHRONOUS, 'sync'],
    [MS.DIRSYNC, 'dirsync'],
    [MS.LAZYTIME, 'lazytime'],
    [MS.MANDLOCK, 'mand'],
  ]
  return words.filter(([bit]) => (flags & bit) !== 0).map(([, word]) => word)
}
