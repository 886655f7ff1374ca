import { rmSync } from 'node:fs'
import { KeelsonError } from '../base/index.ts'
import { pidfdWait, removeEmptyDirectories, removeFlatDirectory } from '../kernel/index.ts'
import { killCgroup, removeCgroup } from './cgroup/index.ts'
import type { RuntimeContext } from './context.ts'
import { runPoststop } from './hooks/recorded.ts'
import { removeRdt } from './intel-rdt.ts'
import { sendIfThere, thawToDie } from './kill-container.ts'
import { connectIn, MonitorConnection } from './monitor-client.ts'
import { type Observed, observe } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import { type ContainerRecord, readRecord, readRecordedPlan, recordFiles } from './state/record.ts'
import { stopScope } from './systemd-scope.ts'

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
  const observed = force && !readRecord(directory) ? undefined : observe(directory, id)
  if (observed) {
    const { record, status, exit } = observed
    if (!force && (status === 'running' || status === 'paused'))
      throw new KeelsonError('FAILED_PRECONDITION', `cannot delete container ${id}: it is ${status}`, {
        op: 'delete',
        id,
        hint: 'stop it first, or force',
      })
    if (status !== 'stopped') await endProcesses(context, observed)
    if (!exit) await awaitMonitor(directory, id) // its exit record is the last that a monitor writes
    await removeGroups(context, record)
    await removeRdt(record.rdt)
  }
  const poststop = observed && readRecordedPlan(directory, 'poststop')
  if (!(await removeFlatDirectory(directory))) rmSync(directory, { recursive: true, force: true })
  await runPoststop(context, id, poststop)
}

/** Where the pid namespace is shared, the first process is only one of many: the cgroup is killed, with it in it. */
export async function endProcesses({ clock }: RuntimeContext, observed: Observed): Promise<void> {
  const { record } = observed
  using process = record.process && openProcess(record.process, record.bootId)
  if (record.cgroup && !record.namespaces.pid) await killCgroup(record.cgroup.leaves, sigkill, clock)
  if (!process) return
  sendIfThere(process, sigkill)
  await thawToDie(observed)
  let cancel = () => {}
  const late = new Promise<'late'>((resolve) => {
    cancel = clock.after(killTimeoutMs, () => resolve('late'))
  })
  const ended = await Promise.race([pidfdWait(process.fd), late]).finally(cancel)
  if (ended !== 'late') return
  throw new KeelsonError('DEADLINE_EXCEEDED', `container ${record.id} was killed and does not end`, {
    op: 'delete',
    id: record.id,
    hint: 'its process hangs in the kernel, or a cgroup above it is frozen',
  })
}

/** Its last write goes to the directory that is about to be removed. */
async function awaitMonitor(directory: string, id: string): Promise<void> {
  const socket = await connectIn(directory, recordFiles.monitorSocket)
  if (!socket) return
  using monitor = new MonitorConnection(socket, id)
  await monitor.exited
}

/** Usually they are empty; what still lives in them is killed first. A unit is systemd's to remove. */
async function removeGroups(context: RuntimeContext, { cgroup }: ContainerRecord): Promise<void> {
  const { clock } = context
  if (!cgroup) return
  if (cgroup.systemd) await stopScope(context, cgroup.systemd)
  if (await removeEmptyDirectories(cgroup.leaves)) return
  await killCgroup(cgroup.leaves)
  await removeCgroup(cgroup.leaves, { clock })
}
