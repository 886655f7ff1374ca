import type { CgroupPlan } from '../cgroup/index.ts'
import { OPEN } from '../plan/constants.ts'
import { noFd, type Operation, type Plan } from '../plan/operations.ts'
import { Slots } from '../plan/slots.ts'
import { joinTasks, makeCgroup } from './cgroup.ts'

/**
 * What the zygote does before it serves: it leaves its starter and goes to the monitors' cgroup, so that the memory of
 * monitors is not the daemon's and the daemon's end is not theirs.
 */
export function compileZygote(cgroup: CgroupPlan): Plan {
  const { v2Directory, tasksFiles } = cgroup
  const slots = new Slots()
  // On hybrid the unified group is where the starter is; limits of monitors live in the v1 groups.
  const group = v2Directory !== undefined && tasksFiles.length === 0 ? slots.allocate() : noFd
  const open: Operation[] =
    group === noFd ? [] : [{ op: 'openPath', path: v2Directory ?? '', flags: OPEN.RDONLY, to: group }]
  return {
    parent: [
      ...makeCgroup(cgroup, 'v2'),
      ...makeCgroup(cgroup, 'v1'),
      ...open,
      { op: 'leaveParent', cgroup: group },
      ...open.map((): Operation => ({ op: 'closeSlot', slot: group })),
      ...tasksFiles.map(joinTasks),
      { op: 'servePlans' },
    ],
    child: [],
  }
}
