import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { hasErrno } from '../base/index.ts'
import { pidfdOpen, pidfdSendSignal, reapInit, type StartedInit, setWindowSize } from '../kernel/index.ts'
import { decodeExit, FrameReader, frameType } from './frames.ts'
import type { TerminalSize } from './runtime.ts'
import { TerminalMaster } from './terminal-master.ts'

export interface ProcessExit {
  exitCode: number
  signal?: number
}

/** A process whose keelson-init stays until it ends and then tells its status on the control socket. */
export class Supervised {
  readonly exit: Promise<ProcessExit>
  /** The pty master, when there is one. */
  readonly terminal: TerminalMaster | undefined
  readonly #terminalFd: number
  readonly #pidfd: number
  #ended = false

  constructor(started: StartedInit, pid: number) {
    this.#pidfd = tryPidfd(pid)
    this.#terminalFd = started.terminal
    if (started.terminal >= 0) {
      const master = new TerminalMaster(started.terminal)
      master.on('close', () => {
        this.#ended = true
      })
      this.terminal = master
    }
    this.exit = this.#follow(started)
  }

  kill(signal: number): void {
    if (!this.#ended && this.#pidfd >= 0) pidfdSendSignal(this.#pidfd, signal)
  }

  resize(size: TerminalSize): void {
    if (!this.#ended && this.#terminalFd >= 0) setWindowSize(this.#terminalFd, size)
  }

  async #follow(started: StartedInit): Promise<ProcessExit> {
    const socket = new Socket({ fd: started.control, readable: true, writable: true })
    const reader = new FrameReader()
    const exit = await new Promise<Buffer | undefined>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        for (const { type, payload } of reader.push(chunk)) if (type === frameType.exited) resolve(payload)
      })
      socket.on('error', () => resolve(undefined))
      socket.on('close', () => resolve(undefined))
    })
    socket.destroy()
    await reapInit(started)
    this.#ended = true
    if (this.#pidfd >= 0) closeSync(this.#pidfd)
    if (!exit) return { exitCode: 137, signal: 9 } // keelson-init was killed, and its child with it
    const { exitCode, signal } = decodeExit(exit)
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
