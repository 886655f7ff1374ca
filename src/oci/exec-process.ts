import { KeelsonError } from '../base/index.ts'
import type { StartedInit } from '../kernel/index.ts'
import { subCgroups } from './cgroup/sub-cgroup.ts'
import type { ExecCompileRequest } from './compile/exec.ts'
import type { RuntimeContext } from './context.ts'
import { startExec } from './exec-start.ts'
import { type ExecStreams, openPipes } from './exec-streams.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { closeInit } from './init-channel.ts'
import { parseLandlock } from './landlock.ts'
import { noticeOfOomScore } from './notices.ts'
import type { Plan } from './plan/index.ts'
import { HeldExec } from './prepared-exec.ts'
import { explainProgram } from './program-error.ts'
import { detachedExec, RunningExec } from './running-exec.ts'
import type { ExecRequest, Execution, NamespaceType, PreparedExec } from './runtime.ts'
import { containerFilter } from './seccomp/index.ts'
import type { Spec } from './spec.ts'
import { requireAlive } from './state/lifecycle.ts'
import type { Observed } from './state/observe.ts'
import { openProcess } from './state/open-process.ts'
import type { ContainerRecord } from './state/record.ts'
import { Supervised } from './supervised.ts'

const sighup = 1
const sigkill = 9

/** Runs one more program in a container. Fails with the exec error when it cannot be run. */
export async function execInContainer(
  context: RuntimeContext,
  observed: Observed,
  spec: Spec,
  request: ExecRequest,
): Promise<Execution> {
  const { started, streams } = await launch(context, observed, spec, request, true)
  const pid = started.payload.readUInt32LE(0)
  if (!request.detached) return new RunningExec(pid, new Supervised(started, pid), streams, request.signal)
  await closeInit(started)
  return detachedExec(pid)
}

/** Up to the moment before the program. */
export async function prepareExecInContainer(
  context: RuntimeContext,
  observed: Observed,
  spec: Spec,
  request: ExecRequest,
): Promise<PreparedExec> {
  const { started, streams, plan } = await launch(context, observed, spec, request, false)
  return new HeldExec({ started, streams, plan, request, id: observed.record.id })
}

interface Launched {
  started: StartedInit
  streams: ExecStreams
  plan: Plan
}

async function launch(
  context: RuntimeContext,
  { record, status }: Observed,
  spec: Spec,
  request: ExecRequest,
  goes: boolean,
): Promise<Launched> {
  request.signal?.throwIfAborted()
  requireAlive(status, 'exec in', record.id)
  using target = record.process && openProcess(record.process, record.bootId)
  if (!target)
    throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} has stopped`, { id: record.id })
  await using pipes = openPipes(request)
  const input = execInput(context, record, spec, { request, stdio: pipes.theirs, pidfd: target.fd, goes })
  const starting = startExec(context, record, input, request)
  const streams = pipes.streams() // while keelson-init is at work
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
  spec: Spec,
  { request, stdio, pidfd, goes }: { request: ExecRequest; stdio: Stdio; pidfd: number; goes: boolean },
): ExecCompileRequest {
  const { tasksFiles = [], v2Directory } = record.cgroup ?? {}
  return {
    process: request.process,
    id: record.id,
    linux: spec.linux,
    filter: containerFilter({ ...spec, bundle: record.bundle, host: context.host }),
    state: { ...record, status: 'running' },
    landlock: parseLandlock(spec.annotations),
    host: context.host,
    rdt: record.rdt,
    keepSessionKeyring: record.keepsKeyring === true,
    pidfd,
    namespaces: (spec.linux?.namespaces ?? []).map(({ type }) => type as NamespaceType),
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
