import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { Cleanup, KeelsonError } from '../base/index.ts'
import {
  makePipe,
  pidfdOpen,
  pidfdSendSignal,
  reapInit,
  type StartedInit,
  setWindowSize,
  startInit,
} from '../kernel/index.ts'
import { compileExec } from './compile/exec.ts'
import type { RuntimeContext } from './context.ts'
import { failureError, lostError } from './failure.ts'
import { decodeExit, FrameReader, frameType } from './frames.ts'
import { encodePlan } from './plan/index.ts'
import type { ExecRequest, Execution, TerminalSize } from './runtime.ts'
import { signalNumber } from './signals.ts'
import type { Spec } from './spec.ts'
import { requireAlive } from './state/lifecycle.ts'
import type { Observed } from './state/observe.ts'
import { openProcess } from './state/process-identity.ts'

const sighup = 1
const sigkill = 9

/** Runs one more program in a container (DESIGN 3.6). Fails with the exec error when it cannot be run. */
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
    const { plan, inherited } = compileExec({
      process: request.process,
      seccomp: spec.linux?.seccomp,
      pidfd: target.fd,
      cgroupNamespace: record.namespaces.cgroup,
      tasksFiles: record.cgroup?.tasksFiles ?? [],
      v2Directory: record.cgroup?.v2Directory,
      stdio: streams.theirs,
      fileLimit: context.fileLimit,
      orphanSignal: request.process.terminal ? sighup : sigkill,
    })
    const started = await startInit({ plan: encodePlan(plan), inherited, leaves: false })
    if (started.type === frameType.started) return new RunningExec(started, streams, request.signal)
    closeSync(started.control)
    await reapInit(started.pid)
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

/** keelson-init stays until the program ends and tells its status on the control socket. */
class RunningExec implements Execution {
  readonly pid: number
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
  readonly #terminal: number
  readonly #pidfd: number
  readonly #exit: Promise<{ exitCode: number; signal?: number }>
  #ended = false

  constructor(started: StartedInit, streams: Streams, signal: AbortSignal | undefined) {
    this.pid = started.payload.readUInt32LE(0)
    this.#terminal = started.terminal
    this.#pidfd = tryPidfd(this.pid)
    if (started.terminal >= 0) {
      const master = new Socket({ fd: started.terminal, readable: true, writable: true })
      master.on('error', () => master.destroy()) // EIO: the last process on the terminal is gone
      this.stdin = master
      this.stdout = master
    } else {
      if (streams.stdin) this.stdin = streams.stdin
      if (streams.stdout) this.stdout = streams.stdout
      if (streams.stderr) this.stderr = streams.stderr
    }
    this.#exit = this.#follow(started)
    const stop = () => this.kill(sigkill)
    signal?.addEventListener('abort', stop, { once: true })
    void this.#exit.finally(() => signal?.removeEventListener('abort', stop))
  }

  wait(): Promise<{ exitCode: number; signal?: number }> {
    return this.#exit
  }

  kill(signal: number | string): void {
    if (!this.#ended && this.#pidfd >= 0) pidfdSendSignal(this.#pidfd, signalNumber(signal))
  }

  resize(size: TerminalSize): void {
    if (!this.#ended && this.#terminal >= 0) setWindowSize(this.#terminal, size)
  }

  async #follow({ control, pid }: StartedInit): Promise<{ exitCode: number; signal?: number }> {
    const socket = new Socket({ fd: control, readable: true, writable: true })
    const reader = new FrameReader()
    const exit = await new Promise<Buffer | undefined>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        for (const { type, payload } of reader.push(chunk)) if (type === frameType.exited) resolve(payload)
      })
      socket.on('error', () => resolve(undefined))
      socket.on('close', () => resolve(undefined))
    })
    socket.destroy()
    await reapInit(pid)
    this.#ended = true
    if (this.#pidfd >= 0) closeSync(this.#pidfd)
    // Killed together with the container's cgroup, which it had not left yet.
    if (!exit) return { exitCode: 128 + sigkill, signal: sigkill }
    const { exitCode, signal } = decodeExit(exit)
    return { exitCode, ...(signal > 0 ? { signal } : {}) }
  }
}

/** -1 when it has ended and been reaped already. */
function tryPidfd(pid: number): number {
  try {
    return pidfdOpen(pid)
  } catch {
    return -1
  }
}
