import { posix } from 'node:path'
import type { CgroupPlan, CgroupWrite } from '../cgroup/index.ts'
import { O_DIRECTORY, O_PATH, OPEN, writeFlags } from '../plan/constants.ts'
import { barriers, noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import type { NamespacePlan } from './namespaces.ts'
import type { CompileRequest } from './request.ts'

/**
 * Directories, then limits: before anybody joins. The v2 tree comes before the clone, which needs it; the v1 trees
 * after it, while the child makes its network namespace.
 */
export function makeCgroup(cgroup: CgroupPlan | undefined, tree: 'v1' | 'v2'): Operation[] {
  if (!cgroup) return []
  const known = new Map<string, boolean>()
  const isWanted = (directory: string) => {
    const isOfV2 = known.get(directory) ?? isAbove(directory, cgroup.v2Directory)
    known.set(directory, isOfV2)
    return isOfV2 === (tree === 'v2')
  }
  const parents = cgroup.directories.length / cgroup.leaves.length - 1 // as many in each hierarchy
  return [
    ...cgroup.leaves.filter(isWanted).map((path): Operation => ({ op: 'makeGroup', path, parents })),
    ...cgroup.seeds
      .filter(({ path }) => isWanted(posix.dirname(path)))
      .map((seed): Operation => ({ op: 'inheritSetting', ...seed })),
    ...writeSettings(cgroup.writes.filter(({ path }) => isWanted(posix.dirname(path)))),
    ...(cgroup.devices && tree === 'v2'
      ? [{ op: 'attachDevices', ...cgroup.devices, flags: 0 } as const]
      : []),
  ]
}

/** Limits that would keep the container's own process out. */
export function limitLate(cgroup: CgroupPlan | undefined): Operation[] {
  return writeSettings(cgroup?.lateWrites ?? [])
}

function writeSettings(writes: readonly CgroupWrite[]): Operation[] {
  return writes.map(({ path, value, failure, alternative }, index) => {
    const next = writes[index + 1]
    const flags =
      (failure ? writeFlags[failure] : 0) |
      (alternative ? writeFlags.alternative : 0) |
      (next?.path === path && !next.alternative ? writeFlags.more : 0)
    return { op: 'writeFile', path, data: Buffer.from(value), flags }
  })
}

/** Whether it is that directory or lies on the way to it. */
function isAbove(directory: string, below: string | undefined): boolean {
  return below === directory || below?.startsWith(`${directory}/`) === true
}

/** v1: whoever runs this writes `0`, itself, to a tasks file. */
export function joinTasks(path: string): Operation {
  return { op: 'joinCgroup', tasks: noFd, path }
}

export interface V1Plan {
  beforeClone: Operation[]
  afterClone: Operation[]
  /** At the child's place for it. */
  join: Operation[]
}

/**
 * The v1 trees: made after the clone, while the child makes its network namespace, which then waits for them. In a
 * user namespace it may not open their files any more, and in a mount namespace that it joined it does not see them:
 * there it inherits them open, and they are made before.
 */
export function makeV1({ cgroup }: CompileRequest, namespaces: NamespacePlan, slots: Slots): V1Plan {
  const make = makeCgroup(cgroup, 'v1')
  const paths = cgroup?.tasksFiles ?? []
  // A unit is made by systemd with the child in it; what is written before that would not last.
  const unit: Operation[] = cgroup?.systemd ? [{ op: 'askStarter' }, ...makeCgroup(cgroup, 'v2')] : []
  const waits = make.length > 0 || unit.length > 0
  const ready: Operation[] = waits ? [{ op: 'signal', barrier: barriers.limited }] : []
  const wait: Operation[] = waits ? [{ op: 'await', barrier: barriers.limited }] : []
  if (namespaces.user === 'none' && !namespaces.joinsMount)
    return {
      beforeClone: [],
      afterClone: [...unit, ...make, ...ready],
      join: [...wait, ...paths.map(joinTasks), ...joinUnified(cgroup)],
    }
  const files = paths.map((path) => ({ path, slot: slots.allocate() }))
  return {
    beforeClone: [
      ...make,
      ...files.map(({ path, slot }): Operation => ({ op: 'openPath', path, flags: OPEN.WRONLY, to: slot })),
    ],
    afterClone: [
      ...unit,
      ...files.map(({ slot }): Operation => ({ op: 'closeSlot', slot })),
      ...(unit.length > 0 ? ready : []),
    ],
    join: [
      ...(unit.length > 0 ? wait : []),
      ...files.map(({ path, slot }): Operation => ({ op: 'joinCgroup', tasks: slot, path })),
    ],
  }
}

/** Of hybrid, where systemd may manage the v1 trees alone. */
function joinUnified(cgroup: CgroupPlan | undefined): Operation[] {
  if (!cgroup?.systemd || cgroup.v2Directory === undefined || cgroup.tasksFiles.length === 0) return []
  return [joinTasks(posix.join(cgroup.v2Directory, 'cgroup.procs'))]
}

/** v2, also on hybrid: the directory is opened for CLONE_INTO_CGROUP. */
export function openV2(
  cgroup: CgroupPlan | undefined,
  slots: Slots,
): { slot: number; operations: Operation[] } {
  if (!cgroup?.v2Directory || cgroup.systemd) return { slot: noFd, operations: [] }
  const slot = slots.allocate()
  const flags = OPEN.RDONLY | O_DIRECTORY | O_PATH
  return { slot, operations: [{ op: 'openPath', path: cgroup.v2Directory, flags, to: slot }] }
}
