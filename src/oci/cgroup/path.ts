import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'

/** INVALID_ARGUMENT: a path that climbs, or the root itself, would put the container where it can harm its host. */
export function checkedPath(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  const hostile = (name: string) => name === '..' || hasControl(name) || Buffer.byteLength(name) > 255
  if (names.length > 0 && !names.some(hostile) && Buffer.byteLength(path) < 3072) return names
  throw new KeelsonError('INVALID_ARGUMENT', `linux.cgroupsPath: ${shown(path)} is not usable`, {
    path: 'linux.cgroupsPath',
    hint: 'give a path below the root, without `..`',
  })
}

/** Cc of Unicode; a regular expression of that would take a millisecond to compile. */
function hasControl(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}

/**
 * Every directory from below the base down to the leaf. An absolute path begins at the root of the hierarchy. A
 * relative one begins, as with runc, at this process's own cgroup; on pure v2 beside it, since the processes in there
 * would keep it from passing its controllers on.
 */
export function pathChains({ mode }: CgroupLayout, path: string): (hierarchy: CgroupHierarchy) => string[] {
  const names = checkedPath(path)
  return ({ mountPoint, own }) => {
    const ours = mode === 'v2' ? posix.dirname(own) : own
    const base = path.startsWith('/') ? mountPoint : posix.join(mountPoint, ours)
    let at = base.replace(/\/$/, '')
    return names.map((name) => {
      at = `${at}/${name}`
      return at
    })
  }
}

/**
 * The layout as whoever made a container saw it. A relative path began at that process's own cgroup, and the one who
 * changes or reads limits later (an engine's command) may be in another: the recorded leaves tell where it was.
 */
export function layoutAsMade(
  layout: CgroupLayout,
  { path, leaves }: { path: string; leaves: readonly string[] },
): CgroupLayout {
  if (path.startsWith('/')) return layout
  const up = checkedPath(path).map(() => '..')
  const asMade = (hierarchy: CgroupHierarchy): CgroupHierarchy => {
    const leaf = leaves.find((one) => one.startsWith(`${hierarchy.mountPoint}/`))
    if (leaf === undefined) return hierarchy
    const base = posix.resolve('/', posix.relative(hierarchy.mountPoint, posix.join(leaf, ...up)))
    return { ...hierarchy, own: layout.mode === 'v2' ? posix.join(base, 'own') : base }
  }
  return { ...layout, v1: layout.v1.map(asMade), ...(layout.v2 ? { v2: asMade(layout.v2) } : {}) }
}

/** `/a`, `/a/b`, `/a/b/c` for levels(`/a`, `/a/b/c`). */
export function levels(from: string, to: string): string[] {
  const names = posix
    .relative(from, to)
    .split('/')
    .filter((name) => name !== '')
  return [from, ...names.map((_, index) => posix.join(from, ...names.slice(0, index + 1)))]
}
