import { closeSync } from 'node:fs'
import { type Clock, hasErrno } from '../base/index.ts'
import { initAnswer, type SpareInit, sendPlan, startSpareInit } from '../kernel/index.ts'

/** Long enough that the container which took the last spare is running, so that the two do not compete. */
const refillDelayMs = 5
/** A runtime that makes no containers keeps no process for the next one. */
const idleMs = 60_000

/**
 * Monitors in waiting. A spare is a keelson-init that was started, left its parent and joined the monitors' cgroup
 * before a container needs it: about a millisecond of every start that nobody waits for. One is kept; whoever finds
 * none starts its own, so that any number of containers may begin at once. A spare ends with this process, when it
 * is disposed, and after a minute in which no container was made.
 */
export class Spares implements AsyncDisposable {
  readonly #clock: Clock
  readonly #plan: () => Promise<Uint8Array>
  #ready: SpareInit | undefined
  #cancelRefill = () => {}
  #cancelIdle = () => {}
  #closed = false

  /** `plan`: what a spare does before it waits (compile/spare.ts). */
  constructor(clock: Clock, plan: () => Promise<Uint8Array>) {
    this.#clock = clock
    this.#plan = plan
  }

  /** Hands the plan to a monitor and waits for its first answer. `inherited` are the plan's first slots, borrowed. */
  async start(plan: Uint8Array, inherited: readonly number[], signal: AbortSignal | undefined) {
    const spare = this.#give(plan, inherited) ?? (await this.#giveNew(plan, inherited))
    try {
      return await initAnswer(spare.control, signal, spare.spawned)
    } finally {
      this.#refillLater()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancelRefill()
    await this.#release()
  }

  /** Undefined when there is none, or it was ended by somebody. */
  #give(plan: Uint8Array, inherited: readonly number[]): SpareInit | undefined {
    const spare = this.#ready
    this.#ready = undefined
    if (!spare) return undefined
    try {
      sendPlan(spare, plan, inherited)
      return spare
    } catch (error) {
      closeSync(spare.control)
      if (hasErrno(error, 'EPIPE', 'ECONNRESET')) return undefined
      throw error
    }
  }

  async #giveNew(plan: Uint8Array, inherited: readonly number[]): Promise<SpareInit> {
    const spare = startSpareInit(await this.#plan())
    sendPlan(spare, plan, inherited)
    return spare
  }

  #refillLater(): void {
    this.#cancelRefill()
    this.#cancelIdle()
    if (this.#closed) return
    this.#cancelIdle = this.#clock.after(idleMs, () => void this.#release())
    this.#cancelRefill = this.#clock.after(refillDelayMs, () => void this.#refill().catch(() => undefined))
  }

  /** What goes wrong here is told to the next container: it starts its own. */
  async #refill(): Promise<void> {
    const plan = await this.#plan()
    if (this.#ready || this.#closed) return
    const spare = startSpareInit(plan)
    this.#ready = spare
    spare.spawned.catch(() => {
      if (this.#ready === spare) this.#ready = undefined
      closeSync(spare.control)
    })
  }

  async #release(): Promise<void> {
    this.#cancelIdle()
    const spare = this.#ready
    this.#ready = undefined
    if (!spare) return
    await spare.spawned.then(
      () => closeSync(spare.control),
      () => undefined,
    )
  }
}
