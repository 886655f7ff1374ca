import { closeSync, writeSync } from 'node:fs'
import { asKeelsonError, type Clock } from '../base/index.ts'
import type { Options } from './command.ts'

/** How a background process tells the one that started it how far it is: JSON lines on a descriptor it was given. */
export const progressOption = {
  'progress-fd': {
    type: 'string',
    value: 'FD',
    help: 'report start-up progress as JSON lines on this descriptor',
  },
} as const satisfies Options

export class ProgressReport {
  #fd: number | undefined
  readonly #clock: Clock
  readonly #startedMs: number

  constructor(fd: string | undefined, clock: Clock) {
    this.#fd = fd === undefined ? undefined : Number(fd)
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  step(step: string): void {
    this.#write({ step, ms: Math.round(this.#clock.monotonicMs() - this.#startedMs) })
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
