import type { CgroupLayout, CgroupPlan } from '../cgroup/index.ts'
import { barriers, noFd, type Operation } from '../plan/operations.ts'
import type { Slots } from '../plan/slots.ts'
import { CLONE, O_DIRECTORY, O_PATH, OPEN, writeFlags } from './constants.ts'

/** A child's steps; in between it joins its cgroups. */
export interface AroundCgroup {
  beforeCgroup: Operation[]
  afterCgroup: Operation[]
}

export interface CgroupOperations {
  /** What the clone needs: the v2 directory, with its controllers and limits. */
  beforeClone: Operation[]
  /** Slot of the v2 directory for CLONE_INTO_CGROUP, or `noFd`. */
  slot: number
  /** v1, made while the child mounts, which takes about as long. */
  afterClone: Operation[]
  /** The child waits until its groups are there, joins, and only then makes them the root of its view. */
  join: Operation[]
}

/**
 * Directories, then limits, before anybody joins. All of v2 comes before the clone: to enable a controller above a
 * group that has processes already, the kernel moves them and waits for RCU.
 */
export function compileCgroup(
  cgroup: CgroupPlan | undefined,
  { v2 }: CgroupLayout,
  unshare: boolean,
  slots: Slots,
): CgroupOperations {
  const isV2 = ({ path }: { path: string }) => v2 !== undefined && path.startsWith(`${v2.mountPoint}/`)
  const directories = (cgroup?.directories ?? []).map((path) => ({ path }))
  const writes = cgroup?.writes ?? []
  const isV1 = (one: { path: string }) => !isV2(one)
  const opened = openV2(cgroup, slots)
  return {
    beforeClone: [...make(directories.filter(isV2), writes.filter(isV2)), ...opened.operations],
    slot: opened.slot,
    afterClone: [
      ...make(directories.filter(isV1), writes.filter(isV1)),
      { op: 'signal', barrier: barriers.cgroupReady },
    ],
    join: [
      { op: 'await', barrier: barriers.cgroupReady },
      ...(cgroup?.tasksFiles ?? []).map(joinTasks),
      ...(unshare ? [{ op: 'unshare', flags: CLONE.NEWCGROUP } as const] : []),
    ],
  }
}

function make(directories: readonly { path: string }[], writes: CgroupPlan['writes']): Operation[] {
  return [
    ...directories.map(({ path }): Operation => ({ op: 'makeDirectory', path, mode: 0o755 })),
    ...writes.map(
      ({ path, value, optional }): Operation => ({
        op: 'writeFile',
        path,
        data: Buffer.from(value),
        flags: optional ? writeFlags.optional : 0,
      }),
    ),
  ]
}

/** v1: whoever runs this writes `0`, itself, to a tasks file. */
export function joinTasks(path: string): Operation {
  return { op: 'joinCgroup', tasks: noFd, path }
}

/** v2, also on hybrid. */
function openV2(cgroup: CgroupPlan | undefined, slots: Slots): { slot: number; operations: Operation[] } {
  if (!cgroup?.v2Directory) return { slot: noFd, operations: [] }
  const slot = slots.allocate()
  const flags = OPEN.RDONLY | O_DIRECTORY | O_PATH
  return { slot, operations: [{ op: 'openPath', path: cgroup.v2Directory, flags, to: slot }] }
}
