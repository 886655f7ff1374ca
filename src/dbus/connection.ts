import { connect, type Socket } from 'node:net'
import { asKeelsonError, KeelsonError } from '../base/index.ts'
import { socketPath } from './address.ts'
import type { Value } from './codec.ts'
import { encodeMessage, type Message, MessageReader, messageType } from './message.ts'

export interface MethodCall {
  destination: string
  path: string
  interface: string
  member: string
  signature?: string
  body?: readonly Value[]
}

export type SignalListener = (message: Message) => void

/** What the other side answered to a call, by its D-Bus name. */
export class DBusError extends KeelsonError {
  readonly errorName: string

  constructor(errorName: string, message: string, call: MethodCall) {
    super('UNAVAILABLE', `${call.member}: ${message || errorName}`, { op: call.member })
    this.errorName = errorName
  }
}

/** A connection to a message bus, for as long as it is needed; there is nothing to keep between two. */
export class BusConnection implements AsyncDisposable {
  readonly #socket: Socket
  readonly #waiting = new Map<number, { call: MethodCall; settle: (message: Message | Error) => void }>()
  readonly #listeners = new Set<SignalListener>()
  #serial = 0
  #failure: Error | undefined

  /** UNAVAILABLE when nobody listens there, or does not let us in. */
  static async open(address: string, uid = process.getuid?.() ?? 0): Promise<BusConnection> {
    const path = socketPath(address)
    const socket = await connected(path)
    try {
      const rest = await authenticate(socket, uid)
      const bus = new BusConnection(socket, rest)
      await bus.call({ ...theBus, member: 'Hello' })
      return bus
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  private constructor(socket: Socket, first: Buffer) {
    this.#socket = socket
    const reader = new MessageReader()
    const receive = (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) this.#receive(message)
      } catch (error) {
        this.#end(error as Error)
      }
    }
    socket.on('data', receive)
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new KeelsonError('UNAVAILABLE', 'the message bus hung up')))
    if (first.length > 0) receive(first)
    socket.resume()
  }

  /** The values of the reply. DBusError when the other side refuses. */
  async call(call: MethodCall, signal?: AbortSignal): Promise<Value[]> {
    if (this.#failure) throw this.#failure
    signal?.throwIfAborted()
    const serial = ++this.#serial
    const { signature = '', body = [], ...fields } = call
    const reply = new Promise<Message | Error>((settle) => this.#waiting.set(serial, { call, settle }))
    const stop = () => this.#waiting.get(serial)?.settle(signal?.reason as Error)
    signal?.addEventListener('abort', stop, { once: true })
    this.#socket.write(
      encodeMessage({ ...fields, type: messageType.call, flags: 0, serial, signature, body: [...body] }),
    )
    const answer = await reply
    signal?.removeEventListener('abort', stop)
    this.#waiting.delete(serial)
    if (answer instanceof Error) throw answer
    return answer.body
  }

  /** Signals that fit the rule, from the moment it resolves. The function ends it. */
  async listen(rule: string, listener: SignalListener): Promise<() => void> {
    this.#listeners.add(listener)
    await this.call({ ...theBus, member: 'AddMatch', signature: 's', body: [rule] })
    return () => void this.#listeners.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }

  #receive(message: Message): void {
    if (message.type === messageType.signal) for (const listener of this.#listeners) listener(message)
    const waiting = message.replySerial === undefined ? undefined : this.#waiting.get(message.replySerial)
    if (message.type === messageType.reply) waiting?.settle(message)
    else if (message.type === messageType.error && waiting)
      waiting.settle(new DBusError(message.errorName ?? '', String(message.body[0] ?? ''), waiting.call))
  }

  #end(error: Error): void {
    this.#failure ??= error
    for (const { settle } of this.#waiting.values()) settle(this.#failure)
    this.#socket.destroy()
  }
}

const theBus = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) => reject(asKeelsonError(cause, { op: 'connect to the message bus', path })))
  })
}

/** SASL EXTERNAL ("Authentication Protocol"): the kernel tells the bus who we are, we only say whom we mean to be. */
async function authenticate(socket: Socket, uid: number): Promise<Buffer> {
  socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(uid)).toString('hex')}\r\n`)
  const [line, rest] = await readLine(socket)
  if (!line.startsWith('OK '))
    throw new KeelsonError('UNAVAILABLE', `the message bus does not let us in: ${line}`, {
      hint: `it has to trust uid ${uid}`,
    })
  socket.write('BEGIN\r\n')
  return rest
}

function readLine(socket: Socket): Promise<[line: string, rest: Buffer]> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const stop = () => {
      socket.off('data', data).off('close', closed)
      socket.pause()
    }
    const closed = () => reject(new KeelsonError('UNAVAILABLE', 'the message bus hung up'))
    const data = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const end = received.indexOf('\r\n')
      if (end < 0 && received.length < 4096) return
      stop()
      resolve([received.toString('latin1', 0, Math.max(end, 0)), received.subarray(end + 2)])
    }
    socket.on('data', data).once('close', closed).on('error', reject)
  })
}
