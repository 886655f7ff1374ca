import { builtFile } from './addon.ts'
import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    startInit(
      program: string,
      plan: Uint8Array,
      inherited: readonly number[],
      leaves: boolean,
    ): Promise<StartedInit>
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
}

/** keelson-init after its first answer. `control` and `terminal` (-1: none) are the caller's to close. */
export interface StartedInit {
  pid: number
  control: number
  /** Frame type of the answer (native/init/message.h); 0 when keelson-init went away without one. */
  type: number
  payload: Buffer
  terminal: number
}

/** Starts keelson-init from a sealed copy with this plan and waits for its first answer. */
export function startInit({ plan, inherited, leaves }: InitRequest): Promise<StartedInit> {
  return native.startInit(builtFile('keelson-init'), plan, inherited, leaves)
}

/** Sends a frame without payload on the control socket. */
export function sendInitFrame(control: number, type: number): void {
  native.sendInitFrame(control, type)
}

/** Waits until keelson-init has ended and reaps it; its exit code. */
export function reapInit(pid: number): Promise<number> {
  return native.reapInit(pid)
}
