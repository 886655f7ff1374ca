import { closeSync, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { type Clock, hasErrno, KeelsonError } from '../base/index.ts'
import { errnoError } from './failure.ts'
import { decodeExit, encodeFrame, FrameReader, framePayloadMax, frameType } from './frames.ts'
import type { Attachment, Exit } from './runtime.ts'
import { late, within } from './within.ts'

/** Nobody listens (any more); ECONNRESET: whoever listened left with our connection still in the queue. */
const gone = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE']

export const busyPauseMs = 50
const busyTriesMax = 40

/** A monitor answers at once, or is stopped. */
export const monitorTimeoutMs = 3_000

export function monitorSilent(op: string, id: string): KeelsonError {
  return new KeelsonError('DEADLINE_EXCEEDED', `${op}: the monitor of container ${id} does not answer`, {
    op,
    id,
    hint: 'somebody stopped its process: let it go on, or delete the container by force',
  })
}

export function isNobodyThere(error: unknown): boolean {
  return hasErrno(error, ...gone)
}

/**
 * Connects to a socket of a state directory. By way of the directory's descriptor, because an address holds 107
 * bytes and state roots may be longer. Undefined when nobody listens there (any more).
 */
export async function connectIn(directory: string, name: string, clock: Clock): Promise<Socket | undefined> {
  for (let left = busyTriesMax; ; left--) {
    try {
      return await tryConnectIn(directory, name)
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN') || left === 0) throw error
      await clock.sleep(busyPauseMs) // its queue is full: it has not come to those who were there before us
    }
  }
}

function tryConnectIn(directory: string, name: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    let fd: number
    try {
      fd = openSync(directory, 'r')
    } catch (error) {
      // Out of descriptors is no proof that nobody listens: a monitor must never be taken for lost by mistake.
      return hasErrno(error, 'ENOENT', 'ENOTDIR') ? resolve(undefined) : reject(error)
    }
    const socket = connect(join(`/proc/self/fd/${fd}`, name))
    socket.once('connect', () => settle(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (isNobodyThere(error)) settle(undefined)
      else settle(error)
    })
    function settle(outcome: Socket | undefined | Error): void {
      closeSync(fd)
      if (outcome instanceof Error) reject(outcome)
      else {
        outcome?.removeAllListeners('error').on('error', () => outcome.destroy())
        resolve(outcome)
      }
    }
  })
}

/** One connection to a container's monitor (native/init/clients.c). */
export class MonitorConnection implements Disposable {
  readonly #socket: Socket
  readonly #id: string
  readonly #clock: Clock
  /** Resolves with the exit, or with undefined when the connection ended without one. */
  readonly exited: Promise<Exit | undefined>
  #answers: ((errno: number | undefined) => void)[] = []
  #onOutput: (type: number, bytes: Buffer) => void = () => {}

  constructor(socket: Socket, id: string, clock: Clock) {
    this.#socket = socket
    this.#id = id
    this.#clock = clock
    const reader = new FrameReader()
    this.exited = new Promise((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        for (const { type, payload } of reader.push(chunk))
          if (type === frameType.exited) resolve(exitOf(payload))
          else this.#receive(type, payload)
      })
      socket.on('close', () => {
        for (const answer of this.#answers.splice(0)) answer(undefined)
        resolve(undefined)
      })
    })
  }

  /** Asks and waits for the answer. UNAVAILABLE when the monitor leaves meanwhile, DEADLINE_EXCEEDED when it is mute. */
  async request(op: string, type: number, payload?: Uint8Array): Promise<void> {
    const answered = new Promise<number | undefined>((resolve) => {
      this.#answers.push(resolve)
      this.#socket.write(encodeFrame(type, payload))
    })
    const errno = await within(this.#clock, monitorTimeoutMs, answered)
    if (errno === late) throw monitorSilent(op, this.#id)
    if (errno === undefined)
      throw new KeelsonError('UNAVAILABLE', `${op}: the monitor has left`, { op, id: this.#id })
    if (errno !== 0) throw errnoError(errno, op, this.#id)
  }

  /** Streams of the container from now on; `terminal` has no stderr of its own. */
  async attach(terminal: boolean): Promise<Attachment> {
    const stdout = outputStream(this.#socket)
    const stderr = terminal ? undefined : outputStream(this.#socket)
    this.#onOutput = (type, bytes) => {
      const stream = type === frameType.stderr ? stderr : stdout
      if (stream?.push(bytes) === false) this.#socket.pause()
    }
    this.#socket.on('close', () => {
      stdout.push(null)
      stderr?.push(null)
    })
    await this.request('attach', frameType.attach)
    return {
      stdin: this.#stdin(),
      stdout,
      ...(stderr ? { stderr } : {}),
      [Symbol.asyncDispose]: async () => this[Symbol.dispose](),
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #receive(type: number, payload: Buffer): void {
    if (type === frameType.done) this.#answers.shift()?.(payload.readUInt32LE(0))
    else if (type === frameType.stdout || type === frameType.stderr) this.#onOutput(type, payload)
  }

  #stdin(): Writable {
    const socket = this.#socket
    return new Writable({
      write(chunk: Buffer, _encoding, done) {
        for (let at = 0; at < chunk.length; at += framePayloadMax)
          socket.write(encodeFrame(frameType.stdin, chunk.subarray(at, at + framePayloadMax)))
        if (socket.writableNeedDrain) socket.once('drain', () => done())
        else done()
      },
      final(done) {
        socket.write(encodeFrame(frameType.stdinEnd))
        done()
      },
    })
  }
}

function outputStream(socket: Socket): Readable {
  return new Readable({ read: () => void socket.resume() })
}

/** Of an `exited` frame. */
export function exitOf(payload: Buffer): Exit {
  const { exitCode, signal, oomKills, finishedAtNs } = decodeExit(payload)
  return { exitCode, ...(signal > 0 ? { signal } : {}), oomKilled: oomKills > 0, finishedAtNs }
}
