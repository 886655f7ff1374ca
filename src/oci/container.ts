import { join } from 'node:path'
import { KeelsonError } from '../base/index.ts'
import { lockFile } from '../kernel/index.ts'
import { cgroupPids } from './cgroup/index.ts'
import type { ContainerStats } from './cgroup/stats.ts'
import { containerEvents, containerStats } from './container-events.ts'
import type { RuntimeContext } from './context.ts'
import { dumpContainer } from './criu/dump.ts'
import type { CheckpointOptions } from './criu/options.ts'
import { deleteContainer } from './delete-container.ts'
import { execFacts } from './exec-facts.ts'
import { type ExecTarget, execInContainer, prepareExecInContainer } from './exec-process.ts'
import { type Made, waitForExit } from './exit-status.ts'
import { frameType } from './frames.ts'
import { killContainer } from './kill-container.ts'
import { lockByForce } from './lock-by-force.ts'
import { connectIn, MonitorConnection } from './monitor-client.ts'
import { pauseContainer, resumeContainer } from './pause-container.ts'
import type {
  Attachment,
  Container,
  ContainerEvent,
  ContainerState,
  ExecRequest,
  Execution,
  Exit,
  PreparedExec,
  StartOptions,
  TerminalSize,
} from './runtime.ts'
import { SharedWait } from './shared-wait.ts'
import { signalNumber } from './signals.ts'
import type { LinuxResources, Spec } from './spec.ts'
import { runPoststart, startContainer } from './start-container.ts'
import { type Observed, type OpenObserved, observe, observeOpen } from './state/observe.ts'
import { readConfig, recordFiles } from './state/record.ts'
import { updateContainer } from './update-container.ts'

/** A container by its state directory. Holds nothing open, so any number of them may exist in any process. */
export class DiskContainer implements Container {
  readonly id: string
  readonly #context: RuntimeContext
  readonly #directory: string
  readonly #made: Made
  readonly #exit = new SharedWait((signal) =>
    waitForExit(this.#context, this.id, this.#directory, signal, this.#made),
  )

  constructor(context: RuntimeContext, id: string, directory: string, made: Made = {}) {
    this.id = id
    this.#context = context
    this.#directory = directory
    this.#made = made
  }

  async state(): Promise<ContainerState> {
    const { record, status, exit } = this.#observe()
    const isAlive = status === 'created' || status === 'running' || status === 'paused'
    return {
      ociVersion: record.ociVersion,
      id: this.id,
      status,
      pid: isAlive ? (record.process?.pid ?? 0) : 0,
      bundle: record.bundle,
      ...(record.rootfs === undefined ? {} : { rootfs: record.rootfs }),
      annotations: record.annotations,
      createdAtNs: BigInt(record.createdAtNs),
      ...(record.startedAtNs === undefined ? {} : { startedAtNs: BigInt(record.startedAtNs) }),
      ...(exit ? { exit } : {}),
    }
  }

  async spec(): Promise<Spec> {
    return readConfig(this.#directory)
  }

  async start(options: StartOptions = {}): Promise<void> {
    await using ready = await this.#startLocked(options)
    await runPoststart(this.#context, this.id, this.#directory, options.signal) // may take as long as it likes: without the lock
    if (options.notify?.wait === false) ready?.detach()
    else await ready?.done()
  }

  async #startLocked(options: StartOptions) {
    options.signal?.throwIfAborted()
    using _lock = await this.#lock(options.signal)
    return await startContainer(this.#context, this.id, this.#directory, options)
  }

  async kill(signal: number | string, options: { all?: boolean } = {}): Promise<void> {
    const number = signalNumber(signal)
    await killContainer(this.#context, this.id, this.#directory, number, options.all === true)
  }

  wait(options: { signal?: AbortSignal } = {}): Promise<Exit> {
    return this.#exit.wait(options.signal)
  }

  async delete(options: { force?: boolean } = {}): Promise<void> {
    const force = options.force === true
    const lock = this.#lock()
    using _lock = await (force ? lockByForce(this.#context, this.id, this.#directory, lock) : lock)
    await deleteContainer(this.#context, this.id, this.#directory, force)
  }

  async exec(request: ExecRequest): Promise<Execution> {
    const observed = observeOpen(this.#directory, this.id)
    using _process = observed.process
    return await execInContainer(this.#context, this.#target(observed), request)
  }

  async prepareExec(request: ExecRequest): Promise<PreparedExec> {
    const observed = observeOpen(this.#directory, this.id)
    using _process = observed.process
    return await prepareExecInContainer(this.#context, this.#target(observed), request)
  }

  async pids(): Promise<number[]> {
    const { record, status } = this.#observe()
    if (record.cgroup) return cgroupPids(record.cgroup.leaves)
    return status === 'stopped' || !record.process ? [] : [record.process.pid]
  }

  async update(resources: LinuxResources): Promise<void> {
    using _lock = await this.#lock()
    await updateContainer(this.#context, this.id, this.#directory, resources)
  }

  async stats(): Promise<ContainerStats> {
    return containerStats(this.#context, this.id, this.#observe())
  }

  events(options: { intervalMs?: number; signal?: AbortSignal } = {}): AsyncIterable<ContainerEvent> {
    const { intervalMs = 5000, signal } = options
    return containerEvents(this.#context, this.id, this.#directory, intervalMs, signal)
  }

  async pause(): Promise<void> {
    using _lock = await this.#lock()
    await pauseContainer(this.#context, this.id, this.#directory)
  }

  async resume(): Promise<void> {
    using _lock = await this.#lock()
    await resumeContainer(this.id, this.#directory)
  }

  async checkpoint(options: CheckpointOptions & { criu: string }): Promise<void> {
    using _lock = await this.#lock(options.signal)
    await dumpContainer(this.id, this.#directory, { ...options, leaveRunning: true })
  }

  async reopenLog(): Promise<void> {
    using monitor = await this.#monitor('reopenLog')
    await monitor.request('reopenLog', frameType.reopen)
  }

  async resize({ columns, rows }: TerminalSize): Promise<void> {
    if (this.#made.foreground) return this.#made.foreground.resize({ columns, rows })
    using monitor = await this.#monitor('resize')
    await monitor.request('resize', frameType.resize, new Uint8Array(Uint32Array.of(columns, rows).buffer))
  }

  async attach(options: { signal?: AbortSignal } = {}): Promise<Attachment> {
    options.signal?.throwIfAborted()
    const terminal = this.#made.foreground?.terminal
    if (terminal)
      return { stdin: terminal, stdout: terminal, [Symbol.asyncDispose]: async () => void terminal.destroy() }
    const { process } = readConfig(this.#directory)
    const monitor = await this.#monitor('attach')
    options.signal?.addEventListener('abort', () => monitor[Symbol.dispose](), { once: true })
    return monitor.attach(process?.terminal === true)
  }

  async #monitor(op: string): Promise<MonitorConnection> {
    const { clock } = this.#context
    const socket = await connectIn(this.#directory, recordFiles.monitorSocket, clock)
    if (socket) return new MonitorConnection(socket, this.id, clock)
    throw new KeelsonError('FAILED_PRECONDITION', `cannot ${op} container ${this.id}: it has no monitor`, {
      op,
      id: this.id,
      hint: 'only containers that run and are monitored have one',
    })
  }

  #target(observed: OpenObserved): ExecTarget {
    const { record } = observed
    const read = () => execFacts(this.#context, record, readConfig(this.#directory))
    return { observed, facts: () => this.#context.execFacts.of(record, read) }
  }

  #observe(): Observed {
    return observe(this.#directory, this.id)
  }

  async #lock(signal?: AbortSignal) {
    try {
      return await lockFile(join(this.#directory, recordFiles.lock), signal)
    } catch (cause) {
      signal?.throwIfAborted()
      throw new KeelsonError('NOT_FOUND', `container ${this.id} does not exist`, { id: this.id, cause })
    }
  }
}
