import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { reapInit, type StartedInit } from '../kernel/index.ts'
import { type Frame, FrameReader } from './frames.ts'

/** The control socket of a keelson-init that stays, frame by frame. */
export class InitChannel implements AsyncDisposable {
  readonly control: number
  readonly #init: Pick<StartedInit, 'pid'>
  readonly #socket: Socket
  readonly #frames: Frame[] = []
  #ended = false
  #waiting: (() => void) | undefined

  constructor(init: Pick<StartedInit, 'control' | 'pid'>) {
    const { control } = init
    this.control = control
    this.#init = init
    this.#socket = new Socket({ fd: control, readable: true, writable: true })
    const reader = new FrameReader()
    this.#socket.on('data', (chunk: Buffer) => {
      this.#frames.push(...reader.push(chunk))
      this.#waiting?.()
    })
    const end = () => {
      this.#ended = true
      this.#waiting?.()
    }
    this.#socket.on('error', end).on('close', end)
  }

  /** Undefined when keelson-init has gone. One caller at a time. */
  async next(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    return this.#frames.shift()
  }

  /** Hangs up, upon which keelson-init ends what it has not been told to let go; resolves when it has. */
  async hangUp(): Promise<void> {
    this.#socket.end()
    while (await this.next());
    await this[Symbol.asyncDispose]()
  }

  /** For one that has nothing more to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
    await reapInit(this.#init)
  }
}

/** For one that has given its last answer. */
export async function closeInit(init: StartedInit): Promise<void> {
  if (init.control >= 0) closeSync(init.control)
  if (init.terminal >= 0) closeSync(init.terminal)
  await reapInit(init)
}
