import { type StartedInit, startInit } from '../kernel/index.ts'
import { groupsOfInit } from './cgroup/init-groups.ts'
import { compileExec, type ExecCompileRequest } from './compile/exec.ts'
import type { RuntimeContext } from './context.ts'
import { failedStep } from './failure.ts'
import { frameType } from './frames.ts'
import { closeInit } from './init-channel.ts'
import { encodePlan, type Plan } from './plan/index.ts'
import type { ExecRequest } from './runtime.ts'
import type { ContainerRecord } from './state/record.ts'

interface StartedExec {
  started: StartedInit
  plan: Plan
}

/**
 * Beside the container's first process: in the groups it was started in, or, where those keep everybody out, in the
 * ones that it made and moved to.
 */
export async function startExec(
  context: RuntimeContext,
  { cgroup, process }: ContainerRecord,
  input: ExecCompileRequest,
  request: ExecRequest,
): Promise<StartedExec> {
  const first = await startOnce(context, input, request)
  if (request.cgroup?.length || !cgroup || !process || !isKeptOut(first)) return first
  const { v2Directory, tasksFiles } = cgroup
  const moved = groupsOfInit({ tasksFiles, v2Directory }, context.layout, process.pid)
  if (!moved) return first
  await closeInit(first.started)
  return startOnce(context, { ...input, ...moved }, request)
}

/** By the zygote where there is one. What is detached belongs to our subreaper, so we start that ourselves. */
async function startOnce(
  { zygote }: RuntimeContext,
  input: ExecCompileRequest,
  { detached, signal }: ExecRequest,
): Promise<StartedExec> {
  const { plan, inherited } = compileExec(input)
  const init = { plan: encodePlan(plan), inherited, signal }
  const started = await (!detached && zygote.isRunning ? zygote.start(init) : startInit(init))
  return { started, plan }
}

/** A v2 group that passes controllers on has no processes of its own (EBUSY); others may be gone. */
function isKeptOut({ started, plan }: StartedExec): boolean {
  if (started.type !== frameType.failure) return false
  const { operation, errno } = failedStep(started.payload, plan)
  return (
    ['openPath', 'clone', 'joinCgroup'].includes(operation?.op ?? '') &&
    ['EBUSY', 'ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(errno)
  )
}
