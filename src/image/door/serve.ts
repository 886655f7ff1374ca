import { once, setMaxListeners } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Cleanup, type Clock, KeelsonError, type Logger } from '../../base/index.ts'
import type { ManagedImageStore } from '../image-store.ts'
import { toPlain } from '../unpack/protocol.ts'
import { answer, isVerb } from './answers.ts'
import { FolderSocket } from './folder-socket.ts'
import { readLines, writeLine } from './lines.ts'
import { type Call, protocolVersion, type Questions, socketName, type Verb } from './requests.ts'

export interface DoorOptions {
  dataDirectory: string
  clock: Clock
  log: Logger
  /** How long whoever still waits for an answer is waited for; default 10 s. */
  graceMs?: number
  /** The owner is in a hurry. */
  signal?: AbortSignal
}

const defaultGraceMs = 10_000
/** After questions were cancelled, for their failures to reach whoever asked. */
const farewellMs = 1_000

/**
 * Answers other processes' questions to a store that this one has open, on a socket in the store's directory, which
 * only its owner may enter. Disposing lets running questions end first: whoever waited for an answer gets it. It does
 * so for `graceMs`, and no longer once `signal` is aborted; then questions are cancelled and connections closed.
 */
export async function serveDoor(
  store: ManagedImageStore,
  { dataDirectory, clock, log, graceMs = defaultGraceMs, signal }: DoorOptions,
): Promise<AsyncDisposable> {
  await using undo = new Cleanup()
  const directory = join(dataDirectory, 'image')
  const place = await undo.use(await FolderSocket.in(directory, socketName))
  await rm(join(directory, socketName), { force: true }) // a dead owner's: the store's lock is ours
  const running = new Set<Promise<void>>()
  const sockets = new Set<Socket>()
  const leaving = new AbortController()
  setMaxListeners(0, leaving.signal) // every conversation listens
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const work = converse(store, socket, clock, leaving.signal)
      .catch((error) => log.warn('a question to the image store failed', { error }))
      .finally(() => running.delete(work))
    running.add(work)
  })
  server.listen(place.path)
  await once(server, 'listening')
  undo.defer(() => rm(join(directory, socketName), { force: true }))
  undo.defer(async () => {
    const closed = once(server, 'close')
    server.close()
    await within(closed, graceMs, clock, signal)
    leaving.abort(leave())
    await within(closed, farewellMs, clock)
    for (const socket of sockets) socket.destroy()
    await Promise.allSettled(running)
    await closed
  })
  await chmod(join(directory, socketName), 0o600)
  return undo.move()
}

function leave(): KeelsonError {
  return new KeelsonError('UNAVAILABLE', 'the process that had the image store has left', {
    hint: 'try again: what was downloaded is kept',
  })
}

/** Waits for it, but no longer than this, and not once the signal is aborted. */
async function within(
  what: Promise<unknown>,
  limitMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const over = new AbortController()
  const stop = signal ? AbortSignal.any([over.signal, signal]) : over.signal
  const limit = clock.sleep(limitMs, stop).catch(() => undefined)
  await Promise.race([what, limit])
  over.abort()
}

/** Whoever connects has its question ready. */
const questionMs = 5_000

async function converse(
  store: ManagedImageStore,
  socket: Socket,
  clock: Clock,
  leaving: AbortSignal,
): Promise<void> {
  const forget = clock.after(questionMs, () => socket.destroy())
  const gone = new AbortController()
  socket.on('error', () => undefined) // it closes next
  socket.on('close', () => gone.abort(new KeelsonError('CANCELLED', 'whoever asked is gone')))
  const signal = AbortSignal.any([gone.signal, leaving])
  try {
    writeLine(socket, { version: protocolVersion })
    for await (const call of readLines(socket)) {
      forget()
      writeLine(socket, { answer: await reply(store, call as Call, socket, signal) })
      break
    }
  } catch (error) {
    writeLine(socket, { error: toPlain(error) })
  } finally {
    forget()
    socket.end()
    socket.destroySoon()
  }
}

async function reply(
  store: ManagedImageStore,
  { version, verb, question }: Call,
  socket: Socket,
  signal: AbortSignal,
): Promise<unknown> {
  if (version !== protocolVersion || !isVerb(verb))
    throw new KeelsonError('UNIMPLEMENTED', `the keelson that has the image store cannot ${verb}`, {
      hint: 'it is of another version: restart it, or use the command of that version',
    })
  return await answer(store, verb, question as Questions[Verb], {
    signal,
    onProgress: (progress) => writeLine(socket, { progress }),
  })
}
