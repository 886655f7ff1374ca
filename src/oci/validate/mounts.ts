import { posix } from 'node:path'
import { checkIdMappings } from '../id-mappings.ts'
import { parseMountOptions, rootfsPropagation } from '../mount-options.ts'
import { shown } from '../shown.ts'
import type { Linux, Mount, Spec } from '../spec.ts'
import { fail } from './fail.ts'

/** A relative path is one inside the bundle. */
export function checkRoot({ root }: Spec): void {
  if (!root) fail('root', 'is missing', 'add {"path": "rootfs"}')
  const { path } = root
  if (path === '') fail('root.path', 'is empty', 'write the directory of the root file system')
  if (!path.startsWith('/') && posix.normalize(path).split('/')[0] === '..')
    fail(
      'root.path',
      `the relative path ${shown(path)} leaves the bundle`,
      'write an absolute path, or one inside the bundle',
    )
}

/** config.md, "Mounts". */
export function checkMount(mount: Mount, path: string, namespaces: ReadonlySet<string>): void {
  const { destination, type, source, options } = mount
  if (destination === '') fail(`${path}.destination`, 'is empty', 'write the path in the container')
  const { bind, idmap, idmapText } = parseMountOptions(options)
  if ((bind || type === 'bind') && !source)
    fail(`${path}.source`, 'a bind mount has no source', 'write the path on the host')
  checkIdMapping(mount, idmap !== undefined && idmapText === undefined, path, namespaces)
}

function checkIdMapping(mount: Mount, isAsked: boolean, path: string, namespaces: ReadonlySet<string>): void {
  const { uidMappings = [], gidMappings = [] } = mount
  checkIdMappings(uidMappings, `${path}.uidMappings`)
  checkIdMappings(gidMappings, `${path}.gidMappings`)
  if (uidMappings.length > 0 !== gidMappings.length > 0)
    fail(
      `${path}.${uidMappings.length > 0 ? 'gidMappings' : 'uidMappings'}`,
      'is missing beside its other half',
      'give both uidMappings and gidMappings, or none',
    )
  if (isAsked && uidMappings.length === 0 && !namespaces.has('user'))
    fail(
      `${path}.options`,
      'an idmapped mount needs mappings',
      'give uidMappings and gidMappings, or the container a user namespace',
    )
}

/** config-linux.md, "Masked Paths", "Readonly Paths", "Rootfs Mount Propagation". */
export function checkHiddenPaths(linux: Linux, namespaces: ReadonlySet<string>): void {
  rootfsPropagation(linux.rootfsPropagation)
  for (const list of ['maskedPaths', 'readonlyPaths'] as const) {
    if (linux[list]?.length && !namespaces.has('mount'))
      fail(`linux.${list}`, 'needs a mount namespace', 'add {"type": "mount"} to linux.namespaces')
    linux[list]?.forEach((path, index) => {
      if (!path.startsWith('/'))
        fail(`linux.${list}[${index}]`, `${shown(path)} is not absolute`, 'write a path that starts with /')
    })
  }
}
