import { once } from 'node:events'
import { lstatSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Clock, KeelsonError, type Logger } from '../../../base/index.ts'
import { peerUid } from '../../../kernel/index.ts'
import { encodePlan } from '../../../oci/plan/index.ts'
import type { Operation } from '../../../oci/plan/operations.ts'
import { Conversation } from './conversation.ts'
import { decideCreate } from './decide.ts'
import { handOn } from './hand-on.ts'
import { decodeRequest } from './request.ts'

/**
 * The compile service: fronts of the same user and build ask what a create does, and do it themselves (docs/decisions
 * 0014). Whoever does not get an answer starts Node, so every failure here is the end of that one connection.
 */
export interface ServiceOptions {
  /** Made when missing; refused when it is not ours alone. */
  folder: string
  /** Of this package. */
  build: string
  clock: Clock
  log: Logger
}

/** More at once wait for nothing: they start Node. */
const conversationsMax = 64
/** A front waits 250 ms. */
const patienceMs = 1000

/** The last that was started serves: its socket takes the place of another's. */
export async function serveCompiles(options: ServiceOptions): Promise<AsyncDisposable> {
  const { folder, build } = options
  makeFolder(folder)
  const path = join(folder, build)
  const made = `${path}.${process.pid}`
  const server = createServer((socket) => void serve(socket, options))
  server.maxConnections = conversationsMax
  rmSync(made, { force: true })
  await listen(server, made)
  const { ino } = lstatSync(made)
  renameSync(made, path)
  return {
    async [Symbol.asyncDispose]() {
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
      server.close()
      try {
        rmdirSync(folder)
      } catch {
        // another one's socket is in it
      }
    },
  }
}

async function serve(socket: Socket, { build, clock, log }: ServiceOptions): Promise<void> {
  using conversation = new Conversation(socket)
  const cancel = clock.after(patienceMs, () => socket.destroy())
  try {
    if (peerUid(socket) !== process.geteuid?.()) handOn('somebody else asks')
    const request = decodeRequest(await conversation.receive('request'))
    if (request.build !== build) handOn('another build asks')
    const operations = await decideCreate(request, async (path) => {
      conversation.send(planOf([{ op: 'sendFile', path }]))
      return (await conversation.receive('file')).toString('utf8')
    })
    conversation.send(planOf(operations))
  } catch (error) {
    log.debug('a front starts Node', { why: error instanceof Error ? error.message : String(error) })
  } finally {
    cancel()
  }
}

function planOf(parent: Operation[]): Buffer {
  return encodePlan({ parent, child: [] })
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(folder)
  if (lstatSync(folder).isDirectory() && uid === process.geteuid?.() && (mode & 0o077) === 0) return
  throw new KeelsonError('PERMISSION_DENIED', `${folder} is not a directory of this user alone`, {
    path: folder,
    hint: 'chmod 700, or name another one in KEELSON_OCI_SERVICE',
  })
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path)
  await once(server, 'listening')
}
