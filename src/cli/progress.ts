import { closeSync, read, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { asKeelsonError, type Clock, KeelsonError } from '../base/index.ts'
import type { Options } from './command.ts'

/** How a background process tells the one that started it how far it is: JSON lines on a descriptor it was given. */
export const progressOption = {
  'progress-fd': {
    type: 'string',
    value: 'FD',
    help: 'report start-up progress as JSON lines on this descriptor',
  },
  wait: {
    type: 'boolean',
    help: 'change nothing before a line comes from the progress descriptor; its end means: leave',
  },
} as const satisfies Options

export class ProgressReport {
  #fd: number | undefined
  readonly #clock: Clock
  #startedMs: number

  constructor(fd: string | undefined, clock: Clock) {
    this.#fd = fd === undefined ? undefined : Number(fd)
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  step(step: string): void {
    this.#write({ step, ms: Math.round(this.#clock.monotonicMs() - this.#startedMs) })
  }

  /** The starter's word to go on. CANCELLED when it gave up, or is gone, instead. */
  async told(): Promise<void> {
    if (this.#fd === undefined)
      throw new KeelsonError('INVALID_ARGUMENT', '--wait needs --progress-fd: nobody could end the wait')
    const { bytesRead } = await promisify(read)(this.#fd, Buffer.alloc(8), 0, 8, null)
    if (bytesRead === 0) throw new KeelsonError('CANCELLED', 'the start was given up')
    this.#startedMs = this.#clock.monotonicMs()
  }

  ready(): void {
    this.step('ready')
    this.#close()
  }

  /** Tells the starter why there will be no readiness, and gives the error back to be thrown on. */
  failed(error: unknown): unknown {
    const { message, hint } = asKeelsonError(error)
    this.#write({ error: { message, hint } })
    this.#close()
    return error
  }

  #write(report: object): void {
    if (this.#fd === undefined) return
    try {
      writeSync(this.#fd, `${JSON.stringify(report)}\n`)
    } catch {
      this.#fd = undefined // the starter went away; this process is meant to stay
    }
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
