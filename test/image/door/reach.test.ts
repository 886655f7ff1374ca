/** The store from two sides at once: the owner's, and that of somebody who asks it. */
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { openImageStore, reachImageStore, serveDoor } from '../../../src/image/index.ts'
import { file, gzip, tar } from '../../support/archive.ts'
import { registryProgram, startRegistry } from '../../support/registry.ts'
import { rootTest } from '../../support/root.ts'
import { skipWithout } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const registryTest = skipWithout('docker-registry', registryProgram() !== undefined, rootTest)

const options = (dataDirectory: string) => ({ dataDirectory, log: silentLogger, clock: systemClock })

/** Deeper than a socket's name may be long. */
function deep(path: string): string {
  const folder = join(path, 'a-directory-with-a-long-name'.repeat(5))
  mkdirSync(folder, { recursive: true })
  return folder
}

async function image() {
  const registry = await startRegistry()
  const layers = [await tar(file('hello', 'world'.repeat(50_000)))]
  const { reference } = await registry.pushImage('hello', '1', { layers, compress: gzip })
  return { registry, reference }
}

registryTest(
  'a store that nobody has is opened; one that somebody has is asked, with the same answers',
  async (t) => {
    await using folder = await temporaryDirectory()
    const dataDirectory = deep(folder.path)
    const { registry, reference } = await image()
    await using _registry = registry
    await using first = reachImageStore(options(dataDirectory))
    await using second = reachImageStore(options(dataDirectory))
    t.deepEqual(await first.ask('list', {}), [])
    const { mode } = statSync(join(dataDirectory, 'image/door.sock'))
    t.is(mode & 0o777, 0o600)
    const seen: string[] = []
    const pulled = await second.ask('pull', { reference }, { onProgress: ({ status }) => seen.push(status) })
    t.is(seen[0], 'waiting')
    t.is(seen.at(-1), 'done')
    const one = await first.ask('describe', { name: reference })
    t.deepEqual(await second.ask('describe', { name: reference }), one)
    t.deepEqual(one.image, pulled)
    await second.ask('tag', { name: pulled.id, tag: 'other:2' })
    t.deepEqual(await second.ask('remove', { name: reference, force: false }), { untagged: [reference] })
    await t.throwsAsync(second.ask('describe', { name: reference }), { code: 'NOT_FOUND' })
    const { removed } = await second.ask('remove', { name: 'other:2', force: false })
    t.is(removed, pulled.id)
  },
)

registryTest(
  'an image in use stays, and one with several names is not removed by its id, unless forced',
  async (t) => {
    await using folder = await temporaryDirectory()
    const { registry, reference } = await image()
    await using _registry = registry
    await using store = await openImageStore(options(folder.path))
    await using _door = await serveDoor(store, options(folder.path))
    await using door = reachImageStore(options(folder.path))
    const { id } = await door.ask('pull', { reference })
    await store.snapshots.prepare('box', id)
    const refused = { code: 'FAILED_PRECONDITION' }
    await t.throwsAsync(door.ask('remove', { name: reference, force: false }), {
      ...refused,
      message: /used by box/,
    })
    t.is((await door.ask('prune', { all: true, minAgeMs: 0 })).images.length, 0)
    await store.snapshots.remove('box')
    t.is((await door.ask('prune', { all: true, minAgeMs: 60_000 })).images.length, 0, 'used a moment ago')
    await door.ask('tag', { name: id, tag: 'other:1' })
    await t.throwsAsync(door.ask('remove', { name: id, force: false }), {
      ...refused,
      message: /several names/,
    })
    t.deepEqual(await door.ask('remove', { name: id, force: true }), {
      untagged: [reference, 'docker.io/library/other:1'],
      removed: id,
    })
  },
)

rootTest('an owner that leaves answers first; whoever comes then has the store', async (t) => {
  await using folder = await temporaryDirectory()
  const store = await openImageStore(options(folder.path))
  const served = await serveDoor(store, options(folder.path))
  await using door = reachImageStore(options(folder.path))
  t.deepEqual(await door.ask('list', {}), [])
  const asked = door.ask('filesystem', {})
  const leaving = served[Symbol.asyncDispose]().then(() => store[Symbol.asyncDispose]())
  t.is((await asked).mountpoint, join(folder.path, 'image'))
  await leaving
  t.deepEqual(await door.ask('list', {}), [], 'opened by the door itself')
})

rootTest('whoever asks in other words, or nothing at all, harms nobody', async (t) => {
  await using folder = await temporaryDirectory()
  await using store = await openImageStore(options(folder.path))
  await using _door = await serveDoor(store, options(folder.path))
  const socket = join(folder.path, 'image/door.sock')
  for (const line of [
    '',
    'no json',
    '{"version":1,"verb":"constructor"}',
    '{"version":9,"verb":"list"}',
    'null',
    '[]',
  ])
    t.regex(await converse(t, socket, line), /"error"/, line)
  connect(socket)
    .on('error', () => undefined)
    .destroy()
  await using door = reachImageStore(options(folder.path))
  t.deepEqual(await door.ask('list', {}), [])
})

rootTest('who gives up gets CANCELLED', async (t) => {
  await using folder = await temporaryDirectory()
  await using store = await openImageStore(options(folder.path))
  await using _door = await serveDoor(store, options(folder.path))
  await using door = reachImageStore(options(folder.path))
  const signal = AbortSignal.abort()
  await t.throwsAsync(door.ask('list', {}, { signal }))
  const late = new AbortController()
  // A registry that takes the connection and says nothing.
  const silent = (await import('node:net')).createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const pulling = door.ask('pull', { reference: `127.0.0.1:${port}/a:1` }, { signal: late.signal })
  silent.once('connection', (socket) => {
    late.abort()
    socket.destroy()
  })
  await t.throwsAsync(pulling, { code: 'CANCELLED' })
  silent.close()
})

rootTest(
  'an owner that leaves waits for a while, and then no longer, for who neither asks nor goes',
  async (t) => {
    await using folder = await temporaryDirectory()
    await using store = await openImageStore(options(folder.path))
    for (const hurry of [false, true]) {
      const signal = hurry ? AbortSignal.abort() : new AbortController().signal
      const graceMs = hurry ? 60_000 : 100
      const served = await serveDoor(store, { ...options(folder.path), graceMs, signal })
      const silent = connect(join(folder.path, 'image/door.sock'))
      const closed = once(silent, 'close')
      await once(silent, 'data')
      silent.resume()
      const startMs = performance.now()
      await served[Symbol.asyncDispose]()
      t.true(performance.now() - startMs < 4_000)
      await closed
    }
  },
)

rootTest('a pull that an owner gives up when it leaves says why', async (t) => {
  await using folder = await temporaryDirectory()
  await using store = await openImageStore(options(folder.path))
  const served = await serveDoor(store, { ...options(folder.path), graceMs: 50 })
  await using door = reachImageStore(options(folder.path))
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const pulling = t.throwsAsync(door.ask('pull', { reference: `127.0.0.1:${port}/a:1` }), {
    code: 'UNAVAILABLE',
    message: /has left/,
  })
  await once(silent, 'connection')
  await served[Symbol.asyncDispose]()
  await pulling
  silent.close()
})

rootTest('an owner that says nothing is given up with whoever asks', async (t) => {
  await using folder = await temporaryDirectory()
  await using _store = await openImageStore(options(folder.path))
  const mute = createServer()
  const socket = join(folder.path, 'image/door.sock')
  await new Promise<void>((resolve) => mute.listen(socket, resolve))
  await using door = reachImageStore(options(folder.path))
  const stop = new AbortController()
  mute.once('connection', () => stop.abort())
  await t.throwsAsync(door.ask('list', {}, { signal: stop.signal }), { code: 'CANCELLED' })
  mute.close()
})

function converse(t: ExecutionContext, path: string, line: string): Promise<string> {
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(path)
    socket.setEncoding('utf8')
    socket.on('error', (error) => t.fail(String(error)))
    socket.on('data', (text) => {
      got += text
    })
    socket.on('close', () => resolve(got))
    socket.write(`${line}\n`)
  })
}
