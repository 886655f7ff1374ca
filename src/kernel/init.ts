import { closeSync } from 'node:fs'
import { builtFile } from './addon.ts'
import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    spawnInit(
      program: string,
      plan: Uint8Array,
      inherited: readonly number[],
      leaves: boolean,
    ): { control: number; pid: Promise<number> }
    sendPlan(zygote: number, plan: Uint8Array, inherited: readonly number[]): number
    receiveAnswer(control: number): Promise<InitAnswer>
    hangUpInit(control: number): void
    shutDown(connection: number): void
    connectIn(directory: string, name: string): number
    startProgram(directory: string, name: string): Promise<InitFrame>
    sendInitFrame(control: number, type: number): void
    reapInit(pid: number): Promise<number>
  }
}

export interface InitRequest {
  plan: Uint8Array
  /** Descriptors that become the plan's first slots. Borrowed until the promise settles. */
  inherited: readonly number[]
  /** Makes keelson-init take back what it started; its answer is then a failure (ECANCELED) or nothing. */
  signal?: AbortSignal | undefined
  /** Ends it at once, and the program that it runs: where nothing has to be taken back. */
  killedBy?: AbortSignal | undefined
}

/** A frame of keelson-init (native/init/message.h); type 0 when it went away without one. */
export interface InitFrame {
  type: number
  payload: Buffer
}

/** A frame, and the pty master that came with it or before it (-1: none), the caller's to close. */
export interface InitAnswer extends InitFrame {
  terminal: number
}

/** keelson-init after its first answer. `control` and `terminal` are the caller's to close. */
export interface StartedInit extends InitAnswer {
  /** Failure payloads of hooks after which it went on. */
  warnings: Buffer[]
  /** -1 when there is none. */
  control: number
  /** To be reaped by us; absent when the zygote started it. */
  pid?: number
}

/** Frames that may come before the answer (native/init/message.h). */
const terminalFrame = 6
const hookWarningFrame = 36

/** Starts keelson-init from a sealed copy with this plan and waits for its first answer. */
export async function startInit(request: InitRequest): Promise<StartedInit> {
  const { plan, inherited, signal, killedBy } = request
  const { control, pid } = native.spawnInit(builtFile('keelson-init'), plan, inherited, false)
  const kill = () => void pid.then((ours) => process.kill(ours, 'SIGKILL')).catch(() => undefined)
  killedBy?.addEventListener('abort', kill, { once: true })
  try {
    return { ...(await initAnswer(control, pid, signal)), pid: await pid }
  } finally {
    killedBy?.removeEventListener('abort', kill)
  }
}

/** The zygote of this process; `spawned` fails when it could not be started. */
export interface ZygoteInit {
  control: number
  spawned: Promise<number>
}

/** Starts keelson-init with a plan that ends in `servePlans` (native/init/zygote.c). It ends with its control socket. */
export function startZygote(plan: Uint8Array): ZygoteInit {
  const { control, pid } = native.spawnInit(builtFile('keelson-init'), plan, [], true)
  return { control, spawned: pid }
}

/**
 * Lets the zygote carry out what it was sent and end. What it says at its end: nothing (type 0), or the failure frame of
 * what kept it from serving.
 */
export async function endZygote({ control, spawned }: ZygoteInit): Promise<InitFrame> {
  try {
    await spawned
    native.hangUpInit(control)
    return await native.receiveAnswer(control)
  } finally {
    closeSync(control)
  }
}

/**
 * Has the zygote carry a plan out; `initAnswer` of the control socket that this returns tells how it went. `inherited`
 * become the plan's first slots, borrowed until this returns. -1 when the zygote is gone.
 */
export function sendPlan({ control }: ZygoteInit, plan: Uint8Array, inherited: readonly number[]): number {
  return native.sendPlan(control, plan, inherited)
}

/**
 * The first answer on a control socket, which is closed when there will be none. The signal hangs up: what
 * keelson-init began is then taken back, and the answer is a failure (ECANCELED) or nothing.
 */
export async function initAnswer(
  control: number,
  spawned: Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<StartedInit> {
  const hangUp = () => native.hangUpInit(control)
  signal?.addEventListener('abort', hangUp, { once: true })
  try {
    await spawned
    const warnings: Buffer[] = []
    for (let terminal = -1; ; ) {
      const answer = await native.receiveAnswer(control)
      if (answer.terminal >= 0) terminal = answer.terminal
      if (answer.type === hookWarningFrame) warnings.push(answer.payload)
      else if (answer.type !== terminalFrame) return { ...answer, terminal, control, warnings }
    }
  } catch (error) {
    closeSync(control)
    throw error
  } finally {
    signal?.removeEventListener('abort', hangUp)
  }
}

/** The next frame of a keelson-init that stays; undefined when it has gone. */
export async function nextFrame(control: number): Promise<InitFrame | undefined> {
  const { type, payload, terminal } = await native.receiveAnswer(control)
  if (terminal >= 0) closeSync(terminal) // nobody asked for one
  return type === 0 ? undefined : { type, payload }
}

/** Tells it that nothing more will come, upon which it ends what it has not been told to let go. */
export function hangUp(control: number): void {
  native.hangUpInit(control)
}

/** Ends the connection both ways, also for a `nextFrame` that waits. */
export function cutOff(control: number): void {
  native.shutDown(control)
}

/**
 * Asks the container that waits at this socket of its state directory to run its program. Type 0: it runs; otherwise
 * the failure frame. ECONNREFUSED, ECONNRESET or ENOENT when nobody waits there.
 */
export async function startProgram(directory: string, name: string): Promise<InitFrame> {
  return native.startProgram(directory, name)
}

/**
 * Connects to this socket of a state directory and reads frames until one of the wanted type; type 0 when the other side
 * ends, or the signal has us hang up. ECONNREFUSED or ENOENT when nobody listens.
 */
export async function awaitFrame(
  { directory, name, type }: { directory: string; name: string; type: number },
  signal: AbortSignal,
): Promise<InitFrame> {
  signal.throwIfAborted()
  const connection = native.connectIn(directory, name)
  const shutDown = () => native.shutDown(connection)
  signal.addEventListener('abort', shutDown, { once: true })
  try {
    for (;;) {
      const frame = await native.receiveAnswer(connection)
      if (frame.type === type || frame.type === 0) return frame
    }
  } finally {
    signal.removeEventListener('abort', shutDown)
    closeSync(connection)
  }
}

/** Sends a frame without payload on the control socket. */
export function sendInitFrame(control: number, type: number): void {
  native.sendInitFrame(control, type)
}

/** Waits until a keelson-init that is our child has ended, and reaps it. */
export async function reapInit({ pid }: Pick<StartedInit, 'pid'>): Promise<void> {
  if (pid !== undefined) await native.reapInit(pid)
}
