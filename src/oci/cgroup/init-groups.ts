import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { hasErrno } from '../../base/index.ts'
import { type CgroupLayout, ownPaths } from './layout.ts'

interface Groups {
  tasksFiles: readonly string[]
  v2Directory: string | undefined
}

/**
 * The groups that a container's first process is in now. It may have made some below its own and moved there: on v2 it
 * has to, before it can pass controllers on, and then nobody can join the group above (EBUSY). Groups elsewhere are
 * not the container's: undefined, as when the process is gone.
 */
export function groupsOfInit(groups: Groups, layout: CgroupLayout, pid: number): Groups | undefined {
  const text = readCgroup(pid)
  if (text === undefined) return undefined
  const paths = ownPaths(text)
  const tasksFiles = groups.tasksFiles.map((file) => {
    const hierarchy = layout.v1.find(({ mountPoint }) => file.startsWith(`${mountPoint}/`))
    const path = hierarchy && paths.get(hierarchy.controllers[0] ?? '')
    const moved = hierarchy && movedTo(posix.dirname(file), hierarchy.mountPoint, path)
    return moved && posix.join(moved, 'tasks')
  })
  const { v2Directory } = groups
  const v2 = v2Directory && layout.v2 && movedTo(v2Directory, layout.v2.mountPoint, paths.get(''))
  if (tasksFiles.includes(undefined) || (v2Directory !== undefined && v2 === undefined)) return undefined
  return { tasksFiles: tasksFiles as string[], v2Directory: v2 }
}

/** `/sys/fs/cgroup/a` and `…/a/inner` give `/sys/fs/cgroup/a/inner`, wherever the mount begins in the hierarchy. */
function movedTo(leaf: string, mountPoint: string, path: string | undefined): string | undefined {
  const known = leaf.slice(mountPoint.length)
  const at = path === undefined ? -1 : `${path}/`.indexOf(`${known}/`)
  if (path === undefined || at < 0 || path.split('/').includes('..')) return undefined
  return posix.join(leaf, path.slice(at + known.length))
}

function readCgroup(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}
