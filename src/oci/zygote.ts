import { closeSync } from 'node:fs'
import { type Clock, hasErrno } from '../base/index.ts'
import { initAnswer, sendPlan, startZygote, type ZygoteInit } from '../kernel/index.ts'

/** A runtime that starts nothing keeps no process for the next time. */
const idleMs = 60_000

/**
 * This process's keelson-init in waiting: it left its starter and joined the monitors' cgroup once, and makes a copy of
 * itself for each plan. Started with the first plan; ends with this process, when it is disposed, and after a minute
 * without plans. What it started lives on: neither a monitor nor a container depends on it.
 */
export class Zygote implements AsyncDisposable {
  readonly #clock: Clock
  readonly #plan: () => Promise<Uint8Array>
  #init: ZygoteInit | undefined
  #starting: Promise<ZygoteInit> | undefined
  #cancelIdle = () => {}

  /** `plan`: what it does before it serves (compile/zygote.ts). */
  constructor(clock: Clock, plan: () => Promise<Uint8Array>) {
    this.#clock = clock
    this.#plan = plan
  }

  get isRunning(): boolean {
    return this.#init !== undefined
  }

  /** Has a plan carried out and waits for its first answer. `inherited` are the plan's first slots, borrowed. */
  async start(plan: Uint8Array, inherited: readonly number[], signal: AbortSignal | undefined) {
    const { control, spawned } = this.#send(plan, inherited) ?? (await this.#sendToNew(plan, inherited))
    this.#cancelIdle()
    this.#cancelIdle = this.#clock.after(idleMs, () => void this[Symbol.asyncDispose]())
    return initAnswer(control, signal, spawned)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelIdle()
    const init = this.#init
    this.#init = undefined
    if (init) closeSync(init.control)
  }

  /** Undefined when there is none, or somebody ended it. */
  #send(plan: Uint8Array, inherited: readonly number[]) {
    const init = this.#init
    if (!init) return undefined
    try {
      return { control: sendPlan(init, plan, inherited), spawned: init.spawned }
    } catch (error) {
      if (!hasErrno(error, 'EPIPE', 'ECONNRESET')) throw error
      if (this.#init === init) void this[Symbol.asyncDispose]()
      return undefined
    }
  }

  /** Plans that come while it starts wait in its socket: it is sent them before it runs. */
  async #sendToNew(plan: Uint8Array, inherited: readonly number[]) {
    this.#starting ??= this.#startOne().finally(() => {
      this.#starting = undefined
    })
    const init = await this.#starting
    return { control: sendPlan(init, plan, inherited), spawned: init.spawned }
  }

  async #startOne(): Promise<ZygoteInit> {
    const init = startZygote(await this.#plan())
    this.#init = init
    init.spawned.catch(() => {
      if (this.#init === init) void this[Symbol.asyncDispose]()
    })
    return init
  }
}
