import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Cleanup, KeelsonError } from '../base/index.ts'
import { makePipe, reapInit, type StartedInit, startInit } from '../kernel/index.ts'
import { subCgroups } from './cgroup/sub-cgroup.ts'
import { compileExec, type ExecCompileRequest } from './compile/exec.ts'
import type { RuntimeContext } from './context.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { encodePlan } from './plan/index.ts'
import type { ExecRequest, Execution, TerminalSize } from './runtime.ts'
import { signalNumber } from './signals.ts'
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
  { record, status }: Observed,
  spec: Spec,
  request: ExecRequest,
): Promise<Execution> {
  request.signal?.throwIfAborted()
  requireAlive(status, 'exec in', record.id)
  using target = record.process && openProcess(record.process, record.bootId)
  if (!target)
    throw new KeelsonError('FAILED_PRECONDITION', `container ${record.id} has stopped`, { id: record.id })
  const streams = openStreams(request)
  try {
    const input = execInput(context, record, spec, { request, stdio: streams.theirs, pidfd: target.fd })
    const { plan, inherited } = compileExec(input)
    const started = await startExec(context, request, { plan: encodePlan(plan), inherited })
    if (started.type === frameType.started)
      return request.detached
        ? await detachedExec(started)
        : new RunningExec(started, streams, request.signal)
    if (started.control >= 0) closeSync(started.control)
    await reapInit(started)
    if (started.terminal >= 0) closeSync(started.terminal)
    if (started.type === frameType.failure) throw failureError(started.payload, plan, 'exec', record.id)
    throw lostError('exec', record.id)
  } catch (error) {
    streams.destroy()
    throw error
  } finally {
    await streams.closeTheirs()
  }
}

type Stdio = ExecCompileRequest['stdio']

/** What the plan of an exec depends on. `stdio` and `pidfd` are descriptors of this process. */
export function execInput(
  context: RuntimeContext,
  record: ContainerRecord,
  spec: Spec,
  { request, stdio, pidfd }: { request: ExecRequest; stdio: Stdio; pidfd: number },
): ExecCompileRequest {
  const { tasksFiles = [], v2Directory } = record.cgroup ?? {}
  return {
    process: request.process,
    seccomp: spec.linux?.seccomp,
    pidfd,
    cgroupNamespace: record.namespaces.cgroup,
    ...subCgroups({ tasksFiles, v2Directory }, request.cgroup ?? [], context.layout),
    stdio,
    fileLimit: context.fileLimit,
    preserveFds: request.preserveFds ?? 0,
    detached: request.detached,
    orphanSignal: request.process.terminal ? sighup : sigkill,
  }
}

/** By the zygote where there is one. What is detached belongs to our subreaper, so we start that ourselves. */
function startExec(
  { zygote }: RuntimeContext,
  { detached, signal }: ExecRequest,
  { plan, inherited }: { plan: Uint8Array; inherited: readonly number[] },
): Promise<StartedInit> {
  if (!detached && zygote.isRunning) return zygote.start(plan, inherited, signal)
  return startInit({ plan, inherited, signal })
}

interface Streams {
  theirs: readonly [number | undefined, number | undefined, number | undefined]
  stdin?: Writable
  stdout?: Readable
  stderr?: Readable
  closeTheirs(): Promise<void>
  destroy(): void
}

function openStreams({ stdio, stdin, process }: ExecRequest): Streams {
  const nothing = { closeTheirs: async () => {}, destroy: () => {} }
  if (stdio !== 'pipe') return { theirs: stdio, ...nothing }
  if (process.terminal) return { theirs: [undefined, undefined, undefined], ...nothing }
  const theirEnds = new Cleanup()
  const open = (writes: boolean) => {
    const [read, write] = makePipe()
    const theirs = writes ? read : write
    theirEnds.defer(() => closeSync(theirs))
    return { theirs, ours: new Socket({ fd: writes ? write : read, readable: !writes, writable: writes }) }
  }
  const input = stdin ? open(true) : undefined
  const output = open(false)
  const errors = open(false)
  for (const one of [input, output, errors]) one?.ours.on('error', () => one.ours.destroy())
  return {
    theirs: [input?.theirs, output.theirs, errors.theirs],
    ...(input ? { stdin: input.ours } : {}),
    stdout: output.ours,
    stderr: errors.ours,
    closeTheirs: () => theirEnds[Symbol.asyncDispose](),
    destroy() {
      for (const one of [input, output, errors]) one?.ours.destroy()
    },
  }
}

class RunningExec implements Execution {
  readonly pid: number
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
  readonly #supervised: Supervised

  constructor(started: StartedInit, streams: Streams, signal: AbortSignal | undefined) {
    this.pid = started.payload.readUInt32LE(0)
    this.#supervised = new Supervised(started, this.pid)
    const terminal = this.#supervised.terminal
    const stdin = terminal ?? streams.stdin
    const stdout = terminal ?? streams.stdout
    if (stdin) this.stdin = stdin
    if (stdout) this.stdout = stdout
    if (streams.stderr) this.stderr = streams.stderr
    const stop = () => this.kill(sigkill)
    signal?.addEventListener('abort', stop, { once: true })
    void this.#supervised.exit.finally(() => signal?.removeEventListener('abort', stop))
  }

  wait(): Promise<{ exitCode: number; signal?: number }> {
    return this.#supervised.exit
  }

  kill(signal: number | string): void {
    this.#supervised.kill(signalNumber(signal))
  }

  resize(size: TerminalSize): void {
    this.#supervised.resize(size)
  }
}

/** Nothing of ours is left, so there is only its pid to give. */
async function detachedExec(started: StartedInit): Promise<Execution> {
  const { control, payload, terminal } = started
  closeSync(control)
  if (terminal >= 0) closeSync(terminal)
  await reapInit(started)
  const pid = payload.readUInt32LE(0)
  const refuse = (op: string): never => {
    throw new KeelsonError('FAILED_PRECONDITION', `${op}: a detached process belongs to its reaper`, { op })
  }
  return { pid, wait: async () => refuse('wait'), kill: () => refuse('kill'), resize: () => refuse('resize') }
}
