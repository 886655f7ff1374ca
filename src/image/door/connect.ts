import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { asKeelsonError, type Clock, hasErrno, KeelsonError } from '../../base/index.ts'
import { fromPlain } from '../unpack/protocol.ts'
import { FolderSocket } from './folder-socket.ts'
import { readLines, writeLine } from './lines.ts'
import {
  type Answers,
  type Asking,
  protocolVersion,
  type Questions,
  type Reply,
  socketName,
  type Verb,
} from './requests.ts'

/** A process that is stopped, or hangs, takes connections and says nothing. */
const greetingMs = 5_000

/** One question to the process that has the store open, which has promised to stay until it has answered. */
export class Conversation implements Disposable {
  readonly #socket: Socket
  readonly #lines: AsyncIterator<unknown>

  private constructor(socket: Socket, lines: AsyncIterator<unknown>) {
    this.#socket = socket
    this.#lines = lines
  }

  /** Undefined when nobody listens, or whoever did is leaving. */
  static async open(
    directory: string,
    clock: Clock,
    signal?: AbortSignal,
  ): Promise<Conversation | undefined> {
    const socket = await connectTo(directory)
    if (!socket) return undefined
    const lines = readLines(socket)[Symbol.asyncIterator]()
    const stop = () => socket.destroy()
    const forget = clock.after(greetingMs, stop)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop() // while it was connecting
    try {
      const greeting = await lines.next()
      if (!greeting.done) return new Conversation(socket, lines)
    } finally {
      forget()
      signal?.removeEventListener('abort', stop)
    }
    stop()
    return undefined
  }

  async ask<V extends Verb>(
    verb: V,
    question: Questions[V],
    { signal, onProgress }: Asking = {},
  ): Promise<Answers[V]> {
    if (signal?.aborted) throw cancelled(signal)
    const stop = () => this.#socket.destroy()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      writeLine(this.#socket, { version: protocolVersion, verb, question })
      for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
        const reply = line.value as Reply
        if ('answer' in reply) return reply.answer as Answers[V]
        if ('error' in reply) throw fromPlain(reply.error)
        if ('progress' in reply) onProgress?.(reply.progress)
      }
    } finally {
      signal?.removeEventListener('abort', stop)
    }
    if (signal?.aborted) throw cancelled(signal)
    throw new KeelsonError('UNAVAILABLE', 'the process that has the image store ended before it answered')
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

export function cancelled({ reason }: AbortSignal): KeelsonError {
  return new KeelsonError('CANCELLED', 'cancelled', { cause: reason })
}

async function connectTo(directory: string): Promise<Socket | undefined> {
  await using place = await FolderSocket.in(directory, socketName)
  const socket = connect(place.path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) return undefined
    throw asKeelsonError(error)
  }
  socket.on('error', () => undefined) // its end says as much
  return socket
}
