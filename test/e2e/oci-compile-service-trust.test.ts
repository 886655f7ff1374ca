/**
 * Who is not believed: services of other users or builds, dead, silent or broken ones, and clients that are no fronts.
 * It is always Node that creates then, and never anybody who waits.
 */
import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { busyboxSpec, makeBundle } from '../support/bundle.ts'
import { serviceTests, startCompileService } from '../support/compile-service.ts'
import { eventually } from '../support/eventually.ts'

const { programs, nextId, service, serialTest, remove } = serviceTests('trust')
const sleeper = busyboxSpec(['/bin/sleep', '1000'])

/** Whether it was Node that created, and that the container is as it should be. */
async function createsByNode(t: ExecutionContext, env: Record<string, string>, what: string): Promise<void> {
  using bundle = makeBundle(sleeper)
  const [id, alone] = [nextId(), nextId()]
  const refused = await programs.keelson.run(['create', '-b', bundle.path, alone], {
    env: { ...env, PATH: '/nonexistent' },
  })
  t.regex(refused.stderr, /no node in the PATH/, what)
  t.like(
    await programs.keelson.run(['create', '-b', bundle.path, id], { env }),
    { code: 0, stderr: '' },
    what,
  )
  t.like(JSON.parse((await programs.keelson.run(['state', id])).stdout), { status: 'created' }, what)
  await remove(id)
}

serialTest(
  'a service that is not this user’s, not of this build, or no longer there is not used',
  async (t) => {
    const own = await startCompileService(programs, 'doubtful')
    const { env, folder, socket } = own
    const moved = `${socket}.moved`
    const put = (change: () => void, back: () => void, what: string) => async () => {
      change()
      await createsByNode(t, env, what)
      back()
    }
    const steps = [
      put(
        () => chownSync(folder, 1, 1),
        () => chownSync(folder, 0, 0),
        'folder of another user',
      ),
      put(
        () => chownSync(socket, 1, 1),
        () => chownSync(socket, 0, 0),
        'socket of another user',
      ),
      put(
        () => renameSync(socket, moved),
        () => renameSync(moved, socket),
        'another build',
      ),
      put(
        () => {
          renameSync(socket, moved)
          symlinkSync(moved, socket)
        },
        () => renameSync(moved, socket),
        'symbolic link',
      ),
      put(
        () => {
          renameSync(socket, moved)
          writeFileSync(socket, '')
        },
        () => renameSync(moved, socket),
        'ordinary file',
      ),
    ]
    for (const step of steps) await step()
    own.process.kill('SIGKILL')
    await eventually('it is gone', () => own.process.signalCode !== null)
    await createsByNode(t, env, 'killed')
  },
)

serialTest('a service of somebody else behind a socket of ours is not used', async (t) => {
  const [theirs, ours] = ['theirs', 'ours'].map((name) => join(programs.folder, `service-${name}`)) as [
    string,
    string,
  ]
  for (const folder of [theirs, ours]) mkdirSync(folder, { mode: 0o700 })
  chownSync(theirs, 65534, 65534)
  const script =
    'process.setgid(65534); process.setuid(65534);' +
    'require("net").createServer((socket) => socket.end()).listen(process.argv[1])'
  const socket = join(theirs, 'socket')
  const other = spawn(process.execPath, ['-e', script, socket], { stdio: 'ignore' })
  t.teardown(() => other.kill('SIGKILL'))
  await eventually('it listens', () => existsSync(socket))
  const moved = join(ours, service().socket.split('/').at(-1) ?? '')
  renameSync(socket, moved)
  chownSync(moved, 0, 0)
  await createsByNode(t, { ...service().env, KEELSON_OCI_SERVICE: ours }, 'foreign')
})

serialTest('a service that is silent, slow, or talks nonsense is done without', async (t) => {
  const answers: Readonly<Record<string, (socket: Socket) => void>> = {
    silent: () => undefined,
    'hangs up': (socket) => void socket.end(),
    garbage: (socket) => void socket.write(Buffer.alloc(4096, 0x41)),
    'no plan': (socket) => void socket.write(Buffer.from([1, 66, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4])),
    'half a frame': (socket) => void socket.write(Buffer.from([1, 66, 0, 0, 200, 0, 0, 0, 1])),
    'too long': (socket) => void socket.write(Buffer.from([1, 66, 0, 0, 255, 255, 255, 255])),
  }
  for (const [name, answer] of Object.entries(answers)) {
    const folder = join(programs.folder, `service-${name.replaceAll(' ', '-')}`)
    mkdirSync(folder, { mode: 0o700 })
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined))
      answer(socket)
    })
    await new Promise<void>((resolve) =>
      server.listen(join(folder, service().socket.split('/').at(-1) ?? ''), resolve),
    )
    await createsByNode(t, { ...service().env, KEELSON_OCI_SERVICE: folder }, name)
    for (const socket of sockets) socket.destroy()
    server.close()
  }
})

serialTest(
  'clients that send nothing, nonsense or too much do not keep others from being served',
  async (t) => {
    const messages = [
      Buffer.alloc(0),
      Buffer.alloc(8),
      Buffer.alloc(3 << 20, 1),
      Buffer.from([1, 64, 0, 0, 4, 0, 0, 0, 65, 0, 65, 0]),
      Buffer.from([1, 64, 0, 0, 0, 0, 8, 0]),
    ]
    const sockets = Array.from({ length: 100 }, (_, index) => {
      const socket = connect(service().socket)
      socket.on('error', () => undefined)
      socket.write(messages[index % messages.length] ?? '')
      return socket
    })
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    using bundle = makeBundle(sleeper)
    const id = nextId()
    t.teardown(() => remove(id))
    t.like(await programs.keelson.run(['create', '-b', bundle.path, id], service().alone), {
      code: 0,
      stderr: '',
    })
  },
)
