import { KeelsonError } from '../base/index.ts'
import { freezeCgroup, thawCgroup } from './cgroup/freezer.ts'
import type { RuntimeContext } from './context.ts'
import { nextStatus } from './state/lifecycle.ts'
import { observe } from './state/observe.ts'
import { markPaused } from './state/record.ts'

/** Both resolve when it is so, not when it was asked for. The caller holds the lock. */
export async function pauseContainer(
  { clock }: RuntimeContext,
  id: string,
  directory: string,
): Promise<void> {
  const { record, status } = observe(directory, id)
  nextStatus(status, 'pause', id)
  if (!record.cgroup) throw withoutCgroup('pause', id)
  await freezeCgroup(record.cgroup.freezers, { clock })
  markPaused(directory, true)
}

export async function resumeContainer(id: string, directory: string): Promise<void> {
  const { record, status } = observe(directory, id)
  nextStatus(status, 'resume', id)
  await thawCgroup(record.cgroup?.freezers ?? [])
  markPaused(directory, false)
}

/** Nothing can be stopped or limited without one. */
export function withoutCgroup(op: string, id: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', `cannot ${op} container ${id}: it has no cgroup`, {
    op,
    id,
    hint: 'its user may not make cgroups: run it as root, or delegate a cgroup to the user',
  })
}
