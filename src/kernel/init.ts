import { closeSync } from 'node:fs'
import { builtFile } from './addon.ts'
import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    startInit(
      program: string,
      plan: Uint8Array,
      inherited: readonly number[],
      leaves: boolean,
    ): { control: number; answer: Promise<Omit<StartedInit, 'control'>> }
    hangUpInit(control: number): void
    startProgram(directory: string, name: string): Promise<InitFrame>
    sendInitFrame(control: number, type: number): void
    reapInit(pid: number): Promise<number>
  }
}

export interface InitRequest {
  plan: Uint8Array
  /** Descriptors that become the plan's first slots. Borrowed until the promise settles. */
  inherited: readonly number[]
  /** The plan begins with `leaveParent`: nothing is left to reap. */
  leaves: boolean
  /** Makes keelson-init take back what it started; its answer is then a failure (ECANCELED) or nothing. */
  signal?: AbortSignal | undefined
}

/** A frame of keelson-init (native/init/message.h); type 0 when it went away without one. */
export interface InitFrame {
  type: number
  payload: Buffer
}

/** keelson-init after its first answer. `control` and `terminal` (-1: none) are the caller's to close. */
export interface StartedInit extends InitFrame {
  pid: number
  control: number
  terminal: number
}

/** Starts keelson-init from a sealed copy with this plan and waits for its first answer. */
export async function startInit({ plan, inherited, leaves, signal }: InitRequest): Promise<StartedInit> {
  const { control, answer } = native.startInit(builtFile('keelson-init'), plan, inherited, leaves)
  const hangUp = () => native.hangUpInit(control)
  signal?.addEventListener('abort', hangUp, { once: true })
  try {
    return { ...(await answer), control }
  } catch (error) {
    closeSync(control)
    throw error
  } finally {
    signal?.removeEventListener('abort', hangUp)
  }
}

/**
 * Asks the container that waits at this socket of its state directory to run its program. Type 0: it runs; otherwise
 * the failure frame. ECONNREFUSED, ECONNRESET or ENOENT when nobody waits there.
 */
export function startProgram(directory: string, name: string): Promise<InitFrame> {
  return native.startProgram(directory, name)
}

/** Sends a frame without payload on the control socket. */
export function sendInitFrame(control: number, type: number): void {
  native.sendInitFrame(control, type)
}

/** Waits until keelson-init has ended and reaps it; its exit code. */
export function reapInit(pid: number): Promise<number> {
  return native.reapInit(pid)
}
