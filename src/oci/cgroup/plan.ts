import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { asKeelsonError, hasErrno } from '../../base/index.ts'
import type { LinuxResources } from '../spec.ts'
import { compileDeviceProgram } from './device-program.ts'
import { type CgroupHierarchy, type CgroupLayout, v1Hierarchy } from './layout.ts'
import { type Limits, type Placed, placeLimits } from './limits.ts'
import { levels, pathChains } from './path.ts'
import type { SystemdUnit } from './systemd/unit.ts'

export interface CgroupWrite {
  path: string
  value: string
  /** `skipAbsent`: a missing file is fine; `skip`: any failure is. Default: a failure is the plan's. */
  failure?: 'skipAbsent' | 'skip'
  /** Only where the file of the write before was absent. */
  alternative?: true
}

/** A file that gets what another has, unless it has something. */
export interface CgroupSeed {
  path: string
  from: string
}

export interface CgroupPlan {
  /** As it was asked for. */
  path: string
  /** Absolute, parents first. One that exists already is fine. */
  directories: string[]
  /** The container's own directory in each hierarchy: what its state keeps, and what `removeCgroup` takes. */
  leaves: string[]
  /** Those of the leaves that have a freezer. */
  freezers: string[]
  /** After all directories were made, in this order, before the writes. */
  seeds: CgroupSeed[]
  /** In this order, before anybody joins. */
  writes: CgroupWrite[]
  /** After the container's process is inside. */
  lateWrites: CgroupWrite[]
  /** Device rules of v2, attached to the directory before anybody joins; absent where they allow everything. */
  devices?: { path: string; program: Uint8Array }
  /** v1: the child writes `0` to each; a pid written by somebody else would wait 11 ms for RCU. */
  tasksFiles: string[]
  /** v2 (also on hybrid): CLONE_INTO_CGROUP. */
  v2Directory?: string
  /** v1 memory.oom_control or v2 memory.events: `oomKills` reads the counter. */
  oomFile?: string
  /** It is made by systemd, around the container's process. */
  systemd?: SystemdUnit
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
  /** False leaves the devices alone (user namespaces may not govern them). Default true. */
  deviceRules?: boolean
  /** A limit whose controller the host lacks: an error (default), as with runc, or only a notice. */
  missing?: 'refuse' | 'tell'
}

/**
 * Where the container's cgroups lie and what is written there. INVALID_ARGUMENT for a path or a value that can
 * never work, FAILED_PRECONDITION for a limit that this host cannot give.
 */
export function planCgroup(request: CgroupRequest): CgroupPlan {
  const { layout, path, resources = {}, deviceRules = true } = request
  const hierarchies = hierarchiesOf(layout)
  const chainIn = pathChains(layout, path)
  const chains = new Map(hierarchies.map((one) => [one, chainIn(one)]))
  const leaf: Leaf = (one) => chains.get(one)?.at(-1) ?? one.mountPoint
  const { placed, notices } = limitsOf(request, leaf, deviceRules)
  const oomFile = oomFileOf(layout, path)
  const early = placed.filter(({ setting }) => !setting.late)
  return {
    path,
    directories: [...chains.values()].flat(),
    leaves: hierarchies.map(leaf),
    freezers: [v1Hierarchy(layout, 'freezer'), layout.v2].filter((one) => one !== undefined).map(leaf),
    seeds: cpusetSeeds(layout, chains),
    writes: [...enableWrites(layout, placed, chains), ...early.map((one) => writeOf(one, leaf))],
    lateWrites: placed.filter(({ setting }) => setting.late).map((one) => writeOf(one, leaf)),
    ...(deviceRules ? deviceProgram(layout, resources, leaf) : {}),
    tasksFiles: layout.v1.map((one) => `${leaf(one)}/tasks`),
    ...(layout.v2 ? { v2Directory: leaf(layout.v2) } : {}),
    ...(oomFile === undefined ? {} : { oomFile }),
    notices,
  }
}

/** Of the plan only the leaves, for whoever makes or changes nothing there. */
export function cgroupLeaves(request: Pick<CgroupRequest, 'layout' | 'path'>): string[] {
  return hierarchiesOf(request.layout).map(leafIn(request))
}

function hierarchiesOf({ v1, v2 }: CgroupLayout): CgroupHierarchy[] {
  return v2 ? [...v1, v2] : [...v1]
}

/** The writes that change a running container; device rules stay as they are. */
export function planCgroupUpdate(request: Omit<CgroupRequest, 'deviceRules'>): {
  writes: CgroupWrite[]
  notices: string[]
} {
  const leaf = leafIn(request)
  const { placed, notices } = limitsOf(request, leaf, false)
  return { writes: placed.map((one) => writeOf(one, leaf)), notices }
}

type Leaf = (hierarchy: CgroupHierarchy) => string

function leafIn({ layout, path }: Pick<CgroupRequest, 'layout' | 'path'>): Leaf {
  const chainIn = pathChains(layout, path)
  return (hierarchy) => chainIn(hierarchy).at(-1) ?? hierarchy.mountPoint
}

function limitsOf(request: CgroupRequest, leaf: Leaf, devices: boolean): Limits {
  const { layout, resources = {}, missing = 'refuse', read = settingsReader() } = request
  const current = (controller: string, file: string) => {
    const hierarchy = v1Hierarchy(layout, controller) ?? layout.v2
    return hierarchy && read(posix.join(leaf(hierarchy), file))
  }
  return placeLimits({ layout, resources, devices, missing, current })
}

function writeOf({ setting, hierarchy }: Placed, leaf: Leaf): CgroupWrite {
  const { file, value, failure, alternative } = setting
  return {
    path: `${leaf(hierarchy)}/${file}`,
    value,
    ...(failure ? { failure } : {}),
    ...(alternative ? { alternative } : {}),
  }
}

/** Where v1 has the devices, its rules are enough; elsewhere a program of the v2 directory enforces them. */
function deviceProgram(
  layout: CgroupLayout,
  { devices }: LinuxResources,
  leaf: Leaf,
): Pick<CgroupPlan, 'devices'> {
  if (!layout.v2 || v1Hierarchy(layout, 'devices')) return {}
  const program = compileDeviceProgram(devices)
  return program ? { devices: { path: leaf(layout.v2), program } } : {}
}

/**
 * v2 gives a child only the controllers its parent passes on: every level above the leaf, from the top. On pure v2
 * all of them, so that there are statistics to read; on hybrid those that a limit needs.
 */
function enableWrites(
  { mode, v2 }: CgroupLayout,
  placed: readonly Placed[],
  chains: ReadonlyMap<CgroupHierarchy, string[]>,
): CgroupWrite[] {
  if (!v2) return []
  const needed = placed.filter(({ hierarchy }) => hierarchy === v2).map(({ setting }) => setting.controller)
  const controllers = mode === 'v2' ? v2.controllers : [...new Set(needed)].filter((one) => one !== 'cgroup')
  const directories = chains.get(v2) ?? []
  const top = posix.dirname(directories[0] ?? v2.mountPoint)
  const above = [...levels(v2.mountPoint, top), ...directories.slice(0, -1)]
  return above.flatMap((directory) =>
    controllers.map(
      (controller): CgroupWrite => ({
        path: posix.join(directory, 'cgroup.subtree_control'),
        value: `+${controller}`,
        failure: 'skip', // a parent with processes of its own refuses: the write of the limit then tells
      }),
    ),
  )
}

/**
 * A v1 cpuset that is made empty stays empty, and nobody can join it (ENOSPC): each level gets its parent's cpus and
 * mems before anything else happens.
 */
function cpusetSeeds(layout: CgroupLayout, chains: ReadonlyMap<CgroupHierarchy, string[]>): CgroupSeed[] {
  const hierarchy = v1Hierarchy(layout, 'cpuset')
  const directories = (hierarchy && chains.get(hierarchy)) ?? []
  return ['cpuset.cpus', 'cpuset.mems'].flatMap((file) =>
    directories.map((directory) => ({
      path: `${directory}/${file}`,
      from: `${posix.dirname(directory)}/${file}`,
    })),
  )
}

/** v1 memory.oom_control or v2 memory.events; undefined where nobody counts memory. */
export function oomFileOf(layout: CgroupLayout, path: string): string | undefined {
  const leaf = leafIn({ layout, path })
  const v1 = v1Hierarchy(layout, 'memory')
  if (v1) return posix.join(leaf(v1), 'memory.oom_control')
  return layout.v2?.controllers.includes('memory') ? posix.join(leaf(layout.v2), 'memory.events') : undefined
}

/** A group that is made anew has no settings yet: asking for its directory, once, spares an error for each file. */
function settingsReader(): (path: string) => string | undefined {
  const known = new Map<string, boolean>()
  return (path) => {
    const directory = posix.dirname(path)
    const exists = known.get(directory) ?? existsSync(directory)
    known.set(directory, exists)
    return exists ? readText(path) : undefined
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EOPNOTSUPP', 'ENODEV')) return undefined
    throw asKeelsonError(error, { op: 'read cgroup', path })
  }
}
