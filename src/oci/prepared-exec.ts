import { closeSync } from 'node:fs'
import { KeelsonError } from '../base/index.ts'
import { pidfdOpen, pidfdSendSignal, type StartedInit, sendInitFrame } from '../kernel/index.ts'
import type { ExecStreams } from './exec-streams.ts'
import { failureError, lostError } from './failure.ts'
import { frameType } from './frames.ts'
import { InitChannel } from './init-channel.ts'
import type { Plan } from './plan/index.ts'
import { detachedExec, RunningExec } from './running-exec.ts'
import type { ExecRequest, Execution, PreparedExec } from './runtime.ts'
import { signalNumber } from './signals.ts'
import { Supervised } from './supervised.ts'

export interface HeldExecParts {
  started: StartedInit
  streams: ExecStreams
  plan: Plan
  request: ExecRequest
  id: string
}

/** Its keelson-init waits for a commit; our hanging up ends it and the process. */
export class HeldExec implements PreparedExec {
  readonly pid: number
  readonly #parts: HeldExecParts
  readonly #channel: InitChannel
  readonly #pidfd: number
  readonly #stop = () => void this[Symbol.asyncDispose]()
  #state: 'held' | 'started' | 'gone' = 'held'

  constructor(parts: HeldExecParts) {
    const { started, request } = parts
    this.pid = started.payload.readUInt32LE(0)
    this.#parts = parts
    this.#pidfd = pidfdOpen(this.pid) // its parent waits with us, so there is at least a zombie
    this.#channel = new InitChannel(started)
    request.signal?.addEventListener('abort', this.#stop, { once: true })
  }

  async start(): Promise<Execution> {
    const { started, streams, plan, request, id } = this.#parts
    if (this.#state !== 'held')
      throw new KeelsonError('FAILED_PRECONDITION', `the exec is ${this.#state} already`, { op: 'exec', id })
    this.#leave('started')
    sendInitFrame(this.#channel.control, frameType.commit)
    const answer = await this.#channel.next()
    if (answer?.type === frameType.started) {
      if (!request.detached)
        return new RunningExec(
          this.pid,
          new Supervised(started, this.pid, this.#channel),
          streams,
          request.signal,
        )
      await this.#channel[Symbol.asyncDispose]()
      return detachedExec(this.pid)
    }
    await this.#discard()
    throw answer?.type === frameType.failure
      ? failureError(answer.payload, plan, 'exec', id)
      : lostError('exec', id)
  }

  kill(signal: number | string): void {
    if (this.#state === 'held') pidfdSendSignal(this.#pidfd, signalNumber(signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'held') return
    this.#leave('gone')
    await this.#discard()
  }

  #leave(state: 'started' | 'gone'): void {
    this.#state = state
    this.#parts.request.signal?.removeEventListener('abort', this.#stop)
    closeSync(this.#pidfd)
  }

  async #discard(): Promise<void> {
    const { started, streams } = this.#parts
    await this.#channel.hangUp()
    if (started.terminal >= 0) closeSync(started.terminal)
    streams.destroy()
  }
}
