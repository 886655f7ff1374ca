import { rmSync } from 'node:fs'
import { hasCode, KeelsonError } from '../base/index.ts'
import { pidfdWait, removeDirectories } from '../kernel/index.ts'
import { killCgroup, removeCgroup } from './cgroup/index.ts'
import type { RuntimeContext } from './context.ts'
import { runPoststop } from './hooks/recorded.ts'
import { removeRdt } from './intel-rdt.ts'
import { sendIfThere, thawToDie } from './kill-container.ts'
import { connectIn, MonitorConnection, monitorSilent, monitorTimeoutMs } from './monitor-client.ts'
import { type Observed, observe } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import { type ContainerRecord, readRecordedPlan, recordFiles } from './state/record.ts'
import { stopScope } from './systemd-scope.ts'
import { late, within } from './within.ts'

const sigkill = 9
const killTimeoutMs = 10_000

/** Takes everything of a container away, whatever is there of it. The caller holds its lock. */
export async function deleteContainer(
  context: RuntimeContext,
  id: string,
  directory: string,
  force: boolean,
): Promise<void> {
  // A create that died before its first write left a directory and nothing else.
  const observed = observeAny(directory, id, force)
  if (!observed) return removeDirectory(directory)
  const { record, status, exit } = observed
  if (!force && (status === 'running' || status === 'paused'))
    throw new KeelsonError('FAILED_PRECONDITION', `cannot delete container ${id}: it is ${status}`, {
      op: 'delete',
      id,
      hint: 'stop it first, or force',
    })
  if (status !== 'stopped') await endProcesses(context, observed)
  if (!exit) await awaitMonitor(context, directory, id, force)
  const poststop = readRecordedPlan(directory, 'poststop')
  if (!(await removeAtOnce(record, directory))) {
    await removeGroups(context, record)
    await removeRdt(record.rdt)
    await removeDirectory(directory)
  }
  await runPoststop(context, id, poststop)
}

function observeAny(directory: string, id: string, force: boolean): Observed | undefined {
  try {
    return observe(directory, id)
  } catch (error) {
    if (force && hasCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

/** Usually the groups are empty and nothing else has to be taken away: one trip to another thread for everything. */
async function removeAtOnce({ cgroup, rdt }: ContainerRecord, directory: string): Promise<boolean> {
  if (!cgroup || cgroup.systemd || rdt) return false
  return removeDirectories({ empty: cgroup.leaves, flat: directory })
}

async function removeDirectory(directory: string): Promise<void> {
  if (!(await removeDirectories({ empty: [], flat: directory })))
    rmSync(directory, { recursive: true, force: true })
}

/** Where the pid namespace is shared, the first process is only one of many: the cgroup is killed, with it in it. */
export async function endProcesses({ clock }: RuntimeContext, observed: Observed): Promise<void> {
  const { record } = observed
  using process = record.process && openProcess(record.process, record.bootId)
  if (record.cgroup && !record.namespaces.pid) await killCgroup(record.cgroup.leaves, sigkill, clock)
  if (!process) return
  sendIfThere(process, sigkill)
  await thawToDie(observed)
  if ((await within(clock, killTimeoutMs, pidfdWait(process.fd))) !== late) return
  throw new KeelsonError('DEADLINE_EXCEEDED', `container ${record.id} was killed and does not end`, {
    op: 'delete',
    id: record.id,
    hint: 'its process hangs in the kernel, or a cgroup above it is frozen',
  })
}

/**
 * Its exit record, the last that a monitor writes, goes to the directory that is about to be removed. One that was
 * stopped finds no directory when it goes on, and leaves.
 */
async function awaitMonitor(
  { clock, log }: RuntimeContext,
  directory: string,
  id: string,
  force: boolean,
): Promise<void> {
  const socket = await connectIn(directory, recordFiles.monitorSocket, clock)
  if (!socket) return
  using monitor = new MonitorConnection(socket, id, clock)
  if ((await within(clock, monitorTimeoutMs, monitor.exited)) !== late) return
  if (force) return log.warn('the monitor does not answer: the container is deleted without it', { id })
  throw monitorSilent('delete', id)
}

/** What still lives in them is killed. A unit is systemd's to remove. */
async function removeGroups(context: RuntimeContext, { cgroup }: ContainerRecord): Promise<void> {
  const { clock } = context
  if (!cgroup) return
  if (cgroup.systemd) await stopScope(context, cgroup.systemd)
  if (await removeDirectories({ empty: cgroup.leaves })) return
  await killCgroup(cgroup.leaves)
  await removeCgroup(cgroup.leaves, { clock })
}
