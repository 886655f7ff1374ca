import { closeSync } from 'node:fs'
import { cutOff, hangUp, type InitFrame, nextFrame, reapInit, type StartedInit } from '../kernel/index.ts'

/** The control socket of a keelson-init that stays, frame by frame. */
export class InitChannel implements AsyncDisposable {
  readonly control: number
  readonly #init: Pick<StartedInit, 'pid'>
  #waiting: Promise<InitFrame | undefined> | undefined
  #isOpen = true

  constructor(init: Pick<StartedInit, 'control' | 'pid'>) {
    this.control = init.control
    this.#init = init
  }

  /** Undefined when keelson-init has gone. One caller at a time. */
  async next(): Promise<InitFrame | undefined> {
    if (!this.#isOpen) return undefined
    this.#waiting = nextFrame(this.control)
    try {
      return await this.#waiting
    } finally {
      this.#waiting = undefined
    }
  }

  /** Hangs up, upon which keelson-init ends what it has not been told to let go; resolves when it has. */
  async hangUp(): Promise<void> {
    hangUp(this.control)
    while (await this.next());
    await this[Symbol.asyncDispose]()
  }

  /** For one that has nothing more to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) await this.#close()
    await reapInit(this.#init)
  }

  /** Not while somebody waits: the number could be another descriptor's by the time. */
  async #close(): Promise<void> {
    this.#isOpen = false
    if (this.#waiting) cutOff(this.control)
    await this.#waiting
    closeSync(this.control)
  }
}

/** For one that has given its last answer. */
export async function closeInit(init: StartedInit): Promise<void> {
  if (init.control >= 0) closeSync(init.control)
  if (init.terminal >= 0) closeSync(init.terminal)
  await reapInit(init)
}
