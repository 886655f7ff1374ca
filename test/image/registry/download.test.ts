/** Downloads that break off: what comes in the end is the blob, whatever the server knows of ranges. */
import { createCipheriv } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { openImageStore } from '../../../src/image/index.ts'
import { parseReference } from '../../../src/image/reference.ts'
import { RegistryClient } from '../../../src/image/registry/client.ts'
import { file, sha256, tar } from '../../support/archive.ts'
import {
  type HostileRegistry,
  type Reply,
  type Script,
  startHostileRegistry,
} from '../../support/hostile-registry.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const clock = { ...systemClock, sleep: async () => undefined }
/** The same each time, and nothing that gzip makes shorter. */
const noise = (bytes: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes))
const bodyOf = ({ body }: Reply): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0))
const isLayer = ({ what }: { what: string }) => what === 'layer'

/** Cuts the answers for the layer after so many bytes, one after the other. */
function cutting(lengths: readonly number[], obeysRanges = true): Script {
  let next = 0
  return (heard, honest) => {
    if (!isLayer(heard)) return honest()
    const reply = honest()
    if (!obeysRanges) heard.headers.range = undefined
    const answer = obeysRanges ? reply : honest()
    const length = lengths[next++]
    return length === undefined ? answer : { ...answer, body: bodyOf(answer).subarray(0, length), cut: true }
  }
}

async function fetchLayer(registry: HostileRegistry, sizeBytes: number, offset = 0): Promise<Buffer> {
  await using client = new RegistryClient({ mirrors: {}, log: silentLogger, clock })
  const repository = await client.open(parseReference(registry.reference))
  const { signal } = new AbortController()
  const parts: Buffer[] = []
  for await (const part of repository.blob(
    { digest: registry.layers[0] ?? '', sizeBytes },
    { signal, offset },
  ))
    parts.push(part)
  return Buffer.concat(parts)
}

test('wherever it breaks off, ranges obeyed or not, every byte comes once', async (t) => {
  await using registry = await startHostileRegistry([await tar(file('x', noise(100_000)))])
  const whole = await fetchLayer(registry, await layerBytes(registry))
  t.is(sha256(whole), registry.layers[0] ?? '')
  const cuts = fc.array(fc.integer({ min: 1, max: whole.length }), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(cuts, fc.boolean(), fc.nat(whole.length - 1), async (lengths, obeysRanges, offset) => {
      // Without ranges a cut answer brings nothing new unless it is longer than the one before.
      const usable = obeysRanges ? lengths : lengths.slice(0, 2)
      registry.script = cutting(usable, obeysRanges)
      return (await fetchLayer(registry, whole.length, offset)).equals(whole.subarray(offset))
    }),
    { numRuns: 30 },
  )
})

async function layerBytes({ host, layers }: HostileRegistry): Promise<number> {
  return (await (await fetch(`http://${host}/v2/app/blobs/${layers[0]}`)).arrayBuffer()).byteLength
}

test('a range that was not asked for is no part of the blob', async (t) => {
  await using registry = await startHostileRegistry([await tar(file('x', noise(50_000)))])
  const size = await layerBytes(registry)
  const claims = [
    undefined,
    'bytes 0-9/10',
    `bytes 11-${size - 1}/${size}`,
    `bytes 10-${size}/${size + 1}`,
    'words 1-2/3',
  ]
  for (const range of claims) {
    registry.script = (heard, honest) => {
      const headers: Record<string, string> = range === undefined ? {} : { 'content-range': range }
      return isLayer(heard) ? { status: 206, headers, body: bodyOf(honest()) } : honest()
    }
    await t.throwsAsync(() => fetchLayer(registry, size, 10), {
      code: 'DATA_LOSS',
      message: /asked for the bytes from 10/,
    })
  }
})

test('a layer that the registry lacks comes from where the image says, without credentials', async (t) => {
  await using elsewhere = await startHostileRegistry([await tar(file('x', noise(50_000)))])
  const [digest = ''] = elsewhere.layers
  const sizeBytes = await layerBytes(elsewhere)
  await using registry = await startHostileRegistry([], ({ headers }) =>
    headers.authorization
      ? { status: 404 }
      : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
  )
  await using client = new RegistryClient({ mirrors: {}, log: silentLogger, clock })
  const repository = await client.open(parseReference(registry.reference), {
    username: 'me',
    password: 'secret',
  })
  const fetchFrom = async (...urls: string[]) => {
    const parts: Buffer[] = []
    const { signal } = new AbortController()
    for await (const part of repository.blob({ digest, sizeBytes, urls }, { signal })) parts.push(part)
    return sha256(Buffer.concat(parts))
  }
  elsewhere.heard.length = 0
  t.is(
    await fetchFrom('no address', 'file:///etc/passwd', `http://${elsewhere.host}/v2/any/blobs/${digest}`),
    digest,
  )
  t.deepEqual(
    elsewhere.heard.map(({ headers }) => headers.authorization),
    [undefined],
  )
  await t.throwsAsync(() => fetchFrom('file:///etc/passwd'), { code: 'NOT_FOUND' })
})

rootTest('what a pull had got before it failed is not fetched again, also not after a restart', async (t) => {
  await using data = await temporaryDirectory()
  await using registry = await startHostileRegistry([await tar(file('x', noise(3_000_000)))])
  const open = () => openImageStore({ dataDirectory: data.path, log: silentLogger, clock })
  const partials = () => readdirSync(join(data.path, 'image/ingest'))
  {
    await using store = await open()
    registry.script = cutting([2_000_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    await t.throwsAsync(() => store.pull(registry.reference), { code: 'UNAVAILABLE' })
  }
  const [partial = ''] = partials()
  const { size } = statSync(join(data.path, 'image/ingest', partial))
  t.true(size >= 1_048_576 && size <= 2_000_000, String(size))
  {
    await using store = await open()
    registry.script = cutting([])
    registry.heard.length = 0
    await store.pull(registry.reference)
    t.deepEqual(
      registry.heard.filter(isLayer).map(({ headers }) => headers.range),
      [`bytes=${size}-`],
    )
    t.is((await store.readFile(registry.config, 'x', { maxBytes: 4_000_000 }))?.length, 3_000_000)
    t.deepEqual(partials(), [])
    await store.remove(registry.config)
  }
})

rootTest('a download that nobody goes on with is forgotten when its bytes cannot be trusted', async (t) => {
  await using data = await temporaryDirectory()
  await using registry = await startHostileRegistry([await tar(file('x', noise(3_000_000)))])
  const open = () => openImageStore({ dataDirectory: data.path, log: silentLogger, clock })
  const ingest = join(data.path, 'image/ingest')
  await using store = await open()
  registry.script = (heard, honest) => {
    const reply = honest()
    if (!isLayer(heard)) return reply
    const lie = Buffer.from(bodyOf(reply))
    lie.writeUInt8(lie.readUInt8(100) ^ 1, 100)
    return { ...reply, body: lie.subarray(0, heard.before === 0 ? 2_000_000 : 0), cut: true }
  }
  await t.throwsAsync(() => store.pull(registry.reference))
  registry.script = cutting([])
  if (readdirSync(ingest).length > 0)
    await t.throwsAsync(() => store.pull(registry.reference), { code: 'DATA_LOSS' })
  t.deepEqual(readdirSync(ingest), [])
  t.is((await store.pull(registry.reference)).id, registry.config)
})
