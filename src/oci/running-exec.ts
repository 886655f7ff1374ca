import type { Readable, Writable } from 'node:stream'
import { KeelsonError } from '../base/index.ts'
import type { ExecStreams } from './exec-streams.ts'
import type { Execution, TerminalSize } from './runtime.ts'
import { signalNumber } from './signals.ts'
import type { Supervised } from './supervised.ts'

const sigkill = 9

/** An exec whose keelson-init stays until it ends. */
export class RunningExec implements Execution {
  readonly pid: number
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
  readonly #supervised: Supervised

  constructor(pid: number, supervised: Supervised, streams: ExecStreams, signal: AbortSignal | undefined) {
    this.pid = pid
    this.#supervised = supervised
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
export function detachedExec(pid: number): Execution {
  const refuse = (op: string): never => {
    throw new KeelsonError('FAILED_PRECONDITION', `${op}: a detached process belongs to its reaper`, { op })
  }
  return { pid, wait: async () => refuse('wait'), kill: () => refuse('kill'), resize: () => refuse('resize') }
}
