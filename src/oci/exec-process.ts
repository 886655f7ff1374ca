import { KeelsonError } from '../base/index.ts'
import type { StartedInit } from '../kernel/index.ts'
import { subCgroups } from './cgroup/sub-cgroup.ts'
import type { ExecCompileRequest } from './compile/exec.ts'
import type { RuntimeContext } from './context.ts'
import type { ExecFacts } from './exec-facts.ts'
import { startExec } from './exec-start.ts'
import { type ExecStreams, openPipes } from './exec-streams.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { closeInit } from './init-channel.ts'
import { noticeOfOomScore } from './notices.ts'
import type { Plan } from './plan/index.ts'
import { HeldExec } from './prepared-exec.ts'
import { explainProgram } from './program-error.ts'
import { detachedExec, RunningExec } from './running-exec.ts'
import type { ExecRequest, Execution, PreparedExec } from './runtime.ts'
import { requireAlive } from './state/lifecycle.ts'
import type { OpenObserved } from './state/observe.ts'
import type { ContainerRecord } from './state/record.ts'
import { Supervised } from './supervised.ts'

const sighup = 1
const sigkill = 9

/** The container of an exec. Borrowed until the program runs. */
export interface ExecTarget {
  observed: OpenObserved
  facts: () => ExecFacts
}

/** Runs one more program in a container. Fails with the exec error when it cannot be run. */
export async function execInContainer(
  context: RuntimeContext,
  target: ExecTarget,
  request: ExecRequest,
): Promise<Execution> {
  const { started, streams } = await launch(context, target, request, true)
  const pid = started.payload.readUInt32LE(0)
  if (!request.detached) return new RunningExec(pid, new Supervised(started, pid), streams, request.signal)
  await closeInit(started)
  return detachedExec(pid)
}

/** Up to the moment before the program. */
export async function prepareExecInContainer(
  context: RuntimeContext,
  target: ExecTarget,
  request: ExecRequest,
): Promise<PreparedExec> {
  const { started, streams, plan } = await launch(context, target, request, false)
  return new HeldExec({ started, streams, plan, request, id: target.observed.record.id })
}

interface Launched {
  started: StartedInit
  streams: ExecStreams
  plan: Plan
}

async function launch(
  context: RuntimeContext,
  { observed: { record, status, process }, facts }: ExecTarget,
  request: ExecRequest,
  goes: boolean,
): Promise<Launched> {
  request.signal?.throwIfAborted()
  requireAlive(status, 'exec in', record.id)
  if (!process)
    throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} has stopped`, { id: record.id })
  await using pipes = openPipes(request)
  const given = { request, stdio: pipes.theirs, pidfd: process.fd, goes }
  const input = execInput(context, record, facts(), given)
  const starting = startExec(context, record, input, request)
  const streams = pipes.streams() // while keelson-init is at work
  context.filters?.save()
  try {
    const { started, plan } = await starting
    if (started.type === (goes ? frameType.started : frameType.created)) {
      const unlowered = noticeOfOomScore(request.process, started.payload.readUInt32LE(0))
      if (unlowered !== undefined) context.log.warn(unlowered, { id: record.id })
      return { started, streams, plan }
    }
    await closeInit(started)
    if (started.type === frameType.failure)
      throw explainProgram(failureError(started.payload, plan, 'exec', record.id), record.rootfs)
    throw lostError('exec', record.id)
  } catch (error) {
    streams.destroy()
    throw error
  }
}

type Stdio = ExecCompileRequest['stdio']

/** What the plan of an exec depends on. `stdio` and `pidfd` are descriptors of this process. */
export function execInput(
  context: RuntimeContext,
  record: ContainerRecord,
  facts: ExecFacts,
  { request, stdio, pidfd, goes }: { request: ExecRequest; stdio: Stdio; pidfd: number; goes: boolean },
): ExecCompileRequest {
  const { tasksFiles = [], v2Directory } = record.cgroup ?? {}
  return {
    process: request.process,
    id: record.id,
    ...facts,
    state: { ...record, status: 'running' },
    host: context.host,
    rdt: record.rdt,
    keepSessionKeyring: record.keepsKeyring === true,
    pidfd,
    ...subCgroups({ tasksFiles, v2Directory }, request.cgroup ?? [], context.layout),
    stdio,
    fileLimit: context.fileLimit,
    preserveFds: request.preserveFds ?? 0,
    detached: request.detached,
    pidfdSocket: request.pidfdSocket,
    orphanSignal: request.process.terminal ? sighup : sigkill,
    goes,
  }
}
