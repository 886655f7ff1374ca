import { posix } from 'node:path'
import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import type { CgroupLayout } from './layout.ts'

interface Groups {
  tasksFiles: readonly string[]
  v2Directory: string | undefined
}

/**
 * Where an exec goes with `--cgroup [CONTROLLER[,CONTROLLER]:]PATH`: below the container's own cgroup, never beside
 * it. Without a controller the path is for the v2 hierarchy, as with runc.
 */
export function subCgroups(groups: Groups, wanted: readonly string[], layout: CgroupLayout): Groups {
  const paths = new Map<string, string>()
  for (const word of wanted)
    for (const [controller, path] of parse(word)) {
      if (paths.has(controller)) throw wrong(word, 'there is a path for this controller already')
      paths.set(controller, path)
    }
  let { tasksFiles, v2Directory } = groups
  for (const [controller, path] of paths) {
    const mountPoint = mountPointOf(controller, layout)
    const inHierarchy = (file: string) => mountPoint !== undefined && file.startsWith(`${mountPoint}/`)
    if (v2Directory !== undefined && inHierarchy(v2Directory)) v2Directory = posix.join(v2Directory, path)
    else if (tasksFiles.some(inHierarchy))
      tasksFiles = tasksFiles.map((file) => (inHierarchy(file) ? below(file, path) : file))
    else throw wrong(controller === '' ? path : `${controller}:${path}`, 'the container has no such cgroup')
  }
  return { tasksFiles, v2Directory }
}

function parse(word: string): [controller: string, path: string][] {
  const [, controllers = '', path = ''] = /^(?:([^:]*):)?(.*)$/s.exec(word) ?? []
  if (word.startsWith(':') || controllers.split(',').some((one, _, all) => one === '' && all.length > 1))
    throw wrong(word, 'a controller is empty')
  if (path.split('/').includes('..') || path.includes('\0'))
    throw wrong(word, 'the path leaves the container')
  return controllers.split(',').map((controller) => [controller, path])
}

function mountPointOf(controller: string, { v1, v2 }: CgroupLayout): string | undefined {
  if (controller === '') return v2?.mountPoint
  const found = [...v1, ...(v2 ? [v2] : [])].find(({ controllers }) => controllers.includes(controller))
  return found?.mountPoint
}

const below = (tasksFile: string, path: string) =>
  posix.join(posix.dirname(tasksFile), path, posix.basename(tasksFile))

function wrong(word: string, why: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `--cgroup ${shown(word)}: ${why}`, {
    path: 'cgroup',
    hint: 'give [CONTROLLER:]PATH below the container’s cgroup',
  })
}
