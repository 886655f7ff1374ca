import { accessSync, constants, existsSync } from 'node:fs'
import { posix } from 'node:path'
import type { CgroupHierarchy, CgroupLayout } from './cgroup/index.ts'

/**
 * Those hierarchies of the host in which this process may make a cgroup at `path`: an ordinary user often has none, or
 * just the part of the v2 tree that was delegated to it.
 */
export function writableLayout(layout: CgroupLayout, path: string, mayWrite = isWritable): CgroupLayout {
  const usable = (one: CgroupHierarchy) => mayWrite(deepestExisting(one, path))
  const { v2, ...rest } = layout
  return {
    ...rest,
    v1: layout.v1.filter(usable),
    // The process moves out of a group into another: that takes the right over both.
    ...(v2 && usable(v2) && mayWrite(posix.join(v2.mountPoint, v2.own, 'cgroup.procs')) ? { v2 } : {}),
  }
}

function deepestExisting({ mountPoint, own }: CgroupHierarchy, path: string): string {
  const base = path.startsWith('/') ? mountPoint : posix.join(mountPoint, own)
  let at = posix.join(base, path)
  while (at.length > base.length && !existsSync(at)) at = posix.dirname(at)
  return at
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
