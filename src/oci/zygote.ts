import type { Clock } from '../base/index.ts'
import {
  endZygote,
  type InitFrame,
  type InitRequest,
  initAnswer,
  type StartedInit,
  sendPlan,
  startZygote,
  type ZygoteInit,
} from '../kernel/index.ts'

/** A runtime that starts nothing keeps no process for the next time. */
const idleMs = 60_000

/**
 * This process's keelson-init in waiting: it left its starter and joined the monitors' cgroup once, and makes a copy of
 * itself for each plan. Started with the first plan; ends with this process, when it is disposed, and after a minute
 * without plans. What it started lives on: neither a monitor nor a container depends on it.
 */
export class Zygote implements AsyncDisposable {
  readonly #clock: Clock
  readonly #plan: () => Uint8Array
  #init: ZygoteInit | undefined
  #cancelIdle = () => {}

  /** `plan`: what it does before it serves (compile/zygote.ts). */
  constructor(clock: Clock, plan: () => Uint8Array) {
    this.#clock = clock
    this.#plan = plan
  }

  get isRunning(): boolean {
    return this.#init !== undefined
  }

  /**
   * Has a plan carried out and waits for its first answer. A zygote that somebody ended is replaced; `control` is -1
   * when the new one, too, is gone before it was told.
   */
  async start({ plan, inherited, signal }: InitRequest): Promise<StartedInit> {
    this.#cancelIdle()
    this.#cancelIdle = this.#clock.after(idleMs, () => void this[Symbol.asyncDispose]())
    let init = this.#init
    let control = init ? sendPlan(init, plan, inherited) : -1
    if (control < 0 || !init) {
      if (init) void this.#end(init)
      init = this.#startNew()
      control = sendPlan(init, plan, inherited) // it may not run yet: the plan waits in its socket
    }
    const answer = control < 0 ? await noAnswer(init) : await initAnswer(control, init.spawned, signal)
    // No answer at all: the zygote may have failed before it served, and then it is the one that knows why.
    return answer.type === 0 ? { ...answer, ...(await this.#end(init)) } : answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelIdle()
    if (this.#init) await this.#end(this.#init)
  }

  #startNew(): ZygoteInit {
    const init = startZygote(this.#plan())
    this.#init = init
    init.spawned.catch(() => void this.#end(init))
    return init
  }

  /** What it said at its end; nothing when another call sees to that. */
  async #end(init: ZygoteInit): Promise<InitFrame | undefined> {
    if (this.#init !== init) return undefined
    this.#init = undefined
    return endZygote(init).catch(() => undefined) // its start failed, which whoever waits for `spawned` is told
  }
}

async function noAnswer({ spawned }: ZygoteInit): Promise<StartedInit> {
  await spawned
  return { type: 0, payload: Buffer.alloc(0), terminal: -1, control: -1, warnings: [] }
}
