import { once } from 'node:events'
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

/**
 * Answers other processes' questions to a store that this one has open, on a socket in the store's directory, which
 * only its owner may enter. Disposing lets running questions end first: whoever waited for an answer gets it.
 */
export async function serveDoor(
  store: ManagedImageStore,
  { dataDirectory, clock, log }: { dataDirectory: string; clock: Clock; log: Logger },
): Promise<AsyncDisposable> {
  await using undo = new Cleanup()
  const directory = join(dataDirectory, 'image')
  const place = await undo.use(await FolderSocket.in(directory, socketName))
  await rm(join(directory, socketName), { force: true }) // a dead owner's: the store's lock is ours
  const running = new Set<Promise<void>>()
  const server = createServer((socket) => {
    const work = converse(store, socket, clock)
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
    await Promise.allSettled(running)
    await closed
  })
  await chmod(join(directory, socketName), 0o600)
  return undo.move()
}

/** Whoever connects has its question ready. */
const questionMs = 5_000

async function converse(store: ManagedImageStore, socket: Socket, clock: Clock): Promise<void> {
  const forget = clock.after(questionMs, () => socket.destroy())
  const gone = new AbortController()
  socket.on('error', () => undefined) // it closes next
  socket.on('close', () => gone.abort(new KeelsonError('CANCELLED', 'whoever asked is gone')))
  try {
    writeLine(socket, { version: protocolVersion })
    for await (const call of readLines(socket)) {
      forget()
      writeLine(socket, { answer: await reply(store, call as Call, socket, gone.signal) })
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
