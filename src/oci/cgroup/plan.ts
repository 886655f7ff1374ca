import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../../base/index.ts'
import type { LinuxResources } from '../spec.ts'
import { type CgroupHierarchy, type CgroupLayout, v1Hierarchy } from './layout.ts'
import { type Setting, v1DeviceSettings, v1Settings } from './v1.ts'
import { v2Settings } from './v2.ts'

export interface CgroupWrite {
  path: string
  value: string
  /** A failure is reported and nothing more. */
  optional?: true
}

export interface CgroupPlan {
  /** Absolute, parents first. One that exists already is fine. */
  directories: string[]
  /** The container's own directory in each hierarchy: what its state keeps, and what `removeCgroup` takes. */
  leaves: string[]
  /** After all directories were made, in this order, before anybody joins. */
  writes: CgroupWrite[]
  /** v1: the child writes `0` to each; a pid written by somebody else would wait 11 ms for RCU. */
  tasksFiles: string[]
  /** v2 (also on hybrid): CLONE_INTO_CGROUP. */
  v2Directory?: string
  /** v1 memory.oom_control or v2 memory.events: `oomKills` reads the counter. */
  oomFile?: string
  /** What was asked for and cannot be had on this host, a sentence each. */
  notices: string[]
}

export interface CgroupRequest {
  layout: CgroupLayout
  /** `linux.cgroupsPath`: absolute from the root of each hierarchy, relative below this process's own cgroup. */
  path: string
  resources?: LinuxResources | undefined
  /** Content of a file, undefined when there is none; tests hand in another. */
  read?: (path: string) => string | undefined
  /** Whether a directory exists already. */
  exists?: (path: string) => boolean
  /** False leaves the devices controller alone (user namespaces may not write it). Default true. */
  deviceRules?: boolean
}

/**
 * Where the container's cgroups lie and what is written there. INVALID_ARGUMENT for a path or a value that can
 * never work; a controller that is missing only gives a notice (degrade and say so).
 */
export function planCgroup(request: CgroupRequest): CgroupPlan {
  const { layout, path } = request
  const inner = checkedPath(path)
  const hierarchies = layout.v2 ? [...layout.v1, layout.v2] : layout.v1
  const chains = new Map(hierarchies.map((one) => [one, chain(one, path, inner)]))
  const leaf = (hierarchy: CgroupHierarchy) => chains.get(hierarchy)?.at(-1) ?? hierarchy.mountPoint
  const wanted = settings(request, leaf)
  const oom = v1Hierarchy(layout, 'memory')
  return {
    directories: [...chains.values()].flat(),
    leaves: hierarchies.map(leaf),
    writes: [
      ...enableWrites(layout, wanted.v2, chains),
      ...cpusetSeeds(v1Hierarchy(layout, 'cpuset'), chains, request),
      ...wanted.writes,
    ],
    tasksFiles: layout.v1.map((one) => posix.join(leaf(one), 'tasks')),
    ...(layout.v2 ? { v2Directory: leaf(layout.v2) } : {}),
    ...(oom ? { oomFile: posix.join(leaf(oom), 'memory.oom_control') } : v2OomFile(layout, leaf)),
    notices: wanted.notices,
  }
}

/** The writes that change a running container; device rules stay as they are. */
export function planCgroupUpdate(request: Omit<CgroupRequest, 'deviceRules' | 'exists'>): {
  writes: CgroupWrite[]
  notices: string[]
} {
  const inner = checkedPath(request.path)
  const leaf = (one: CgroupHierarchy) => chain(one, request.path, inner).at(-1) ?? one.mountPoint
  const { writes, notices } = settings({ ...request, deviceRules: false }, leaf)
  return { writes, notices }
}

/** A path that climbs, or the root itself, would put the container where it can harm its host. */
function checkedPath(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not become file names
  if (names.length === 0 || names.includes('..') || names.some((name) => /[\x00-\x1f]/.test(name)))
    throw new KeelsonError('INVALID_ARGUMENT', `linux.cgroupsPath: ${JSON.stringify(path)} is not usable`, {
      path: 'linux.cgroupsPath',
      hint: 'give a path below the root, without `..`',
    })
  return names
}

/** Every directory from below the mount point (or below our own cgroup) down to the leaf. */
function chain(hierarchy: CgroupHierarchy, path: string, names: readonly string[]): string[] {
  const base = path.startsWith('/') ? hierarchy.mountPoint : posix.join(hierarchy.mountPoint, hierarchy.own)
  return names.map((_, index) => posix.join(base, ...names.slice(0, index + 1)))
}

interface Wanted {
  writes: CgroupWrite[]
  /** v2 controllers that some setting needs. */
  v2: string[]
  notices: string[]
}

function settings(request: CgroupRequest, leaf: (one: CgroupHierarchy) => string): Wanted {
  const { layout, resources = {}, read = readText } = request
  const wanted: Wanted = { writes: [], v2: [], notices: [] }
  const current = (controller: string, file: string) => {
    const hierarchy = v1Hierarchy(layout, controller)
    return hierarchy && read(posix.join(leaf(hierarchy), file))
  }
  const devices = request.deviceRules !== false && layout.v1.length > 0 ? v1DeviceSettings(resources) : []
  for (const one of layout.mode === 'v2' ? [] : [...devices, ...v1Settings(resources, current)])
    if (!onlyV2(layout, one)) place(wanted, one, v1Hierarchy(layout, one.controller), leaf)
  for (const one of layout.v2 ? v2Settings(resources) : []) {
    if (layout.mode === 'hybrid' && !onlyV2(layout, one)) continue
    const offered = one.controller === 'cgroup' || layout.v2?.controllers.includes(one.controller)
    if (offered && one.controller !== 'cgroup') wanted.v2.push(one.controller)
    place(wanted, one, offered ? layout.v2 : undefined, leaf)
  }
  if (layout.mode === 'v2' && request.deviceRules !== false && resources.devices?.some(({ allow }) => !allow))
    wanted.notices.push('device rules are not enforced on cgroup v2 (no BPF device program yet)')
  return wanted
}

/** On hybrid the v2 tree has some of the controllers that v1 has not. */
function onlyV2(layout: CgroupLayout, { controller }: Setting): boolean {
  return layout.v2?.controllers.includes(controller) === true && !v1Hierarchy(layout, controller)
}

function place(
  wanted: Wanted,
  { controller, file, value, optional }: Setting,
  hierarchy: CgroupHierarchy | undefined,
  leaf: (one: CgroupHierarchy) => string,
): void {
  if (hierarchy)
    wanted.writes.push({ path: posix.join(leaf(hierarchy), file), value, ...(optional ? { optional } : {}) })
  else {
    const notice = `cgroup controller ${controller} is not available here: its limits are not applied`
    if (!wanted.notices.includes(notice)) wanted.notices.push(notice)
  }
}

/**
 * v2 gives a child only the controllers its parent passes on: every level above the leaf, from the top. On pure v2
 * all of them, so that there are statistics to read; on hybrid those that a limit needs.
 */
function enableWrites(
  { mode, v2 }: CgroupLayout,
  needed: readonly string[],
  chains: ReadonlyMap<CgroupHierarchy, string[]>,
): CgroupWrite[] {
  if (!v2) return []
  const controllers = mode === 'v2' ? v2.controllers : [...new Set(needed)]
  const directories = chains.get(v2) ?? []
  const top = posix.dirname(directories[0] ?? v2.mountPoint)
  const above = [...levels(v2.mountPoint, top), ...directories.slice(0, -1)]
  return above.flatMap((directory) =>
    controllers.map(
      (controller): CgroupWrite => ({
        path: posix.join(directory, 'cgroup.subtree_control'),
        value: `+${controller}`,
        optional: true, // a parent with processes of its own refuses: the write of the limit then tells
      }),
    ),
  )
}

/** `/a`, `/a/b`, `/a/b/c` for levels(`/a`, `/a/b/c`). */
function levels(from: string, to: string): string[] {
  const names = posix
    .relative(from, to)
    .split('/')
    .filter((name) => name !== '')
  return [from, ...names.map((_, index) => posix.join(from, ...names.slice(0, index + 1)))]
}

/**
 * A v1 cpuset that is made empty stays empty, and nobody can join it (ENOSPC): each new level gets its parent's
 * cpus and mems before anything else happens.
 */
function cpusetSeeds(
  hierarchy: CgroupHierarchy | undefined,
  chains: ReadonlyMap<CgroupHierarchy, string[]>,
  { read = readText, exists = existsSync }: CgroupRequest,
): CgroupWrite[] {
  if (!hierarchy) return []
  const directories = chains.get(hierarchy) ?? []
  const present = directories.filter(exists).reverse()
  const above = posix.dirname(directories[0] ?? hierarchy.mountPoint)
  return ['cpuset.cpus', 'cpuset.mems'].flatMap((file) => {
    // A group has what it has from its parents, so the deepest that has any speaks for all above it.
    for (const seeded of [...present, above]) {
      const value = read(posix.join(seeded, file))?.trim() ?? ''
      if (value === '') continue
      const empty = directories.slice(directories.indexOf(seeded) + 1)
      return empty.map((directory) => ({ path: posix.join(directory, file), value }))
    }
    return []
  })
}

function v2OomFile(layout: CgroupLayout, leaf: (one: CgroupHierarchy) => string): { oomFile?: string } {
  const { v2 } = layout
  return v2?.controllers.includes('memory') ? { oomFile: posix.join(leaf(v2), 'memory.events') } : {}
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EOPNOTSUPP')) return undefined
    throw asKeelsonError(error, { op: 'read cgroup', path })
  }
}
