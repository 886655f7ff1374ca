import { hasErrno } from '../base/index.ts'
import { pidfdSendSignal } from '../kernel/index.ts'
import { killCgroup } from './cgroup/control.ts'
import { thawCgroup } from './cgroup/freezer.ts'
import type { RuntimeContext } from './context.ts'
import { requireAlive } from './state/lifecycle.ts'
import { type Observed, observeOpen } from './state/observe.ts'

const sigkill = 9

/**
 * A signal to the first process, or with `all` to every process of the cgroup. Killing the first process of a pid
 * namespace makes the kernel kill the rest; where the namespace is shared, or the host's, all of the cgroup is killed
 * instead, so that nobody is left behind.
 */
export async function killContainer(
  { clock }: RuntimeContext,
  id: string,
  directory: string,
  signal: number,
  all: boolean,
): Promise<void> {
  const observed = observeOpen(directory, id)
  const { record, status } = observed
  using process = observed.process
  if (!all) requireAlive(status, 'kill', id)
  const isShared = signal === sigkill && !record.namespaces.pid
  if ((all || isShared) && record.cgroup) return killCgroup(record.cgroup.leaves, signal, clock)
  if (!process) return
  sendIfThere(process, signal)
  if (signal === sigkill) await thawToDie(observed)
}

/** It may end at any moment by itself. */
export function sendIfThere({ fd }: { fd: number }, signal: number): void {
  try {
    pidfdSendSignal(fd, signal)
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error
  }
}

/** On v1 a frozen process does not die: the signal waits until it is thawed. Any other signal is meant to wait. */
export async function thawToDie({ record, status }: Observed): Promise<void> {
  if (status === 'paused') await thawCgroup(record.cgroup?.freezers ?? [])
}
