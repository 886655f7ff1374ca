/** Clients of a control plane that goes away and comes back: they resume, and nothing is lost, doubled or reordered. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ApiClient, type ConfigMap, createHttpTransport, Informer, resources } from '../../src/api/index.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { startApiServer } from '../../src/control/apiserver/index.ts'
import { ensurePki } from '../../src/control/pki/index.ts'
import { openStore } from '../../src/control/store/index.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const serviceCidr = '10.43.0.0/16'
const clock = systemClock
const log = silentLogger

async function start(directory: string, port: number) {
  const pki = await ensurePki({ directory: join(directory, 'pki'), serviceCidr, clock })
  const store = await openStore({ path: join(directory, 'store'), clock, log })
  const server = await startApiServer({ store, pki, address: '127.0.0.1', port, serviceCidr, clock, log })
  return {
    pki,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const map = (name: string): ConfigMap => ({ metadata: { name, namespace: 'default' }, data: { name } })

test('an informer goes on where it was after the server came back', async (t) => {
  await using directory = await temporaryDirectory()
  let plane = await start(directory.path, 0)
  const { port } = plane.server
  const { admin, authority } = plane.pki
  await using transport = createHttpTransport({
    server: plane.server.url,
    ca: authority,
    cert: admin.certificate,
    key: admin.key,
  })
  let lists = 0
  const client = new ApiClient({
    request(request) {
      if (request.method === 'GET' && !request.query?.['watch']) lists++
      return transport.request(request)
    },
  })
  const stop = new AbortController()
  const informer = new Informer({ client, type: resources.configmaps, clock, log, namespace: 'default' })
  const seen: string[] = []
  informer.onChange(({ type, key }) => seen.push(`${type} ${key}`))
  informer.start(stop.signal)
  await informer.synced
  await client.create(resources.configmaps, map('before'))
  await eventually('the informer knows', () => seen.includes('added default/before'))

  await plane[Symbol.asyncDispose]()
  plane = await start(directory.path, port)
  const inside = new ApiClient(plane.server.localTransport())
  await inside.create(resources.configmaps, map('after'))
  await inside.delete(resources.configmaps, { namespace: 'default', name: 'before' })
  await eventually(
    'the informer knows',
    () => informer.get('default/after') !== undefined && informer.list().length === 1,
    10_000,
  )
  t.deepEqual(
    seen.filter((one) => /before|after/.test(one)),
    ['added default/before', 'added default/after', 'removed default/before'],
  )
  t.is(lists, 1, 'it resumed its watch instead of listing anew')
  stop.abort()
  await informer.stopped()
  await plane[Symbol.asyncDispose]()
})

test('kill -9 of the control plane loses no acknowledged object', async (t) => {
  await using directory = await temporaryDirectory()
  const script = fileURLToPath(new URL('./control-plane-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import=tsx', script, directory.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const [first] = (await once(lines, 'line')) as [string]
  const { url, ca, cert, key } = JSON.parse(first) as Record<string, string>
  await using transport = createHttpTransport({ server: url ?? '', ca, cert, key })
  const client = new ApiClient(transport)
  const acknowledged: string[] = []
  const creates = Array.from({ length: 1_000 }, async (_, i) => {
    await client.create(resources.configmaps, map(`object-${i}`))
    acknowledged.push(`object-${i}`)
    if (acknowledged.length === 400) child.kill('SIGKILL')
  })
  const results = await Promise.allSettled(creates)
  await exited
  t.true(acknowledged.length >= 400 && acknowledged.length < 1_000, `${acknowledged.length} acknowledged`)
  t.is(results.filter(({ status }) => status === 'fulfilled').length, acknowledged.length)

  await using plane = await start(directory.path, 0)
  const inside = new ApiClient(plane.server.localTransport())
  const { items } = await inside.list(resources.configmaps, { namespace: 'default' })
  const present = new Set(items.map(({ metadata }) => metadata.name))
  t.deepEqual(
    acknowledged.filter((name) => !present.has(name)),
    [],
  )
})
