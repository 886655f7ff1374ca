import { closeSync } from 'node:fs'
import { hasErrno } from '../base/index.ts'
import { pidfdOpen, pidfdSendSignal, type StartedInit } from '../kernel/index.ts'
import { decodeExit, frameType } from './frames.ts'
import { InitChannel } from './init-channel.ts'
import type { TerminalSize } from './runtime.ts'
import { TerminalMaster } from './terminal-master.ts'

export interface ProcessExit {
  exitCode: number
  signal?: number
}

/** What is needed of its keelson-init. */
type FollowedInit = Pick<StartedInit, 'control' | 'pid' | 'terminal'>

/** A process whose keelson-init stays until it ends and then tells its status on the control socket. */
export class Supervised {
  readonly exit: Promise<ProcessExit>
  /** The pty master, when there is one. */
  readonly terminal: TerminalMaster | undefined
  readonly #pidfd: number
  #ended = false

  constructor(started: FollowedInit, pid: number, channel = new InitChannel(started)) {
    this.#pidfd = tryPidfd(pid)
    if (started.terminal >= 0) {
      const master = new TerminalMaster(started.terminal)
      master.on('close', () => {
        this.#ended = true
      })
      this.terminal = master
    }
    this.exit = this.#follow(channel)
  }

  kill(signal: number): void {
    if (!this.#ended && this.#pidfd >= 0) pidfdSendSignal(this.#pidfd, signal)
  }

  resize(size: TerminalSize): void {
    if (!this.#ended) this.terminal?.resize(size)
  }

  async #follow(channel: InitChannel): Promise<ProcessExit> {
    let frame = await channel.next()
    while (frame && frame.type !== frameType.exited) frame = await channel.next()
    await channel[Symbol.asyncDispose]()
    // The frame comes by another thread and may be here before the last output, which lies in the pipes already: they
    // are read before the next turn.
    await new Promise((resolve) => setImmediate(resolve))
    this.#ended = true
    if (this.#pidfd >= 0) closeSync(this.#pidfd)
    if (!frame) return { exitCode: 137, signal: 9 } // keelson-init was killed, and its child with it
    const { exitCode, signal } = decodeExit(frame.payload)
    return { exitCode, ...(signal > 0 ? { signal } : {}) }
  }
}

/** -1 when it has ended and been reaped already. */
function tryPidfd(pid: number): number {
  try {
    return pidfdOpen(pid)
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return -1 // it has ended already
    throw error
  }
}
