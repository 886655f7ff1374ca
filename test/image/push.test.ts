/** Images go back to a registry as they came: Debian's docker-registry on loopback. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import {
  type ImageStore,
  type ImageStoreOptions,
  openImageStore,
  type PushProgress,
} from '../../src/image/index.ts'
import { file, gzip, tar } from '../support/archive.ts'
import { ociTypes, type Registry, registryProgram, startRegistry } from '../support/registry.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { startUploadRegistry } from '../support/upload-registry.ts'

const program = registryProgram()
let registry: Registry
let other: Registry

function test(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (program) rootTest(title, body)
  else ava.skip(`${title} (needs docker-registry)`, body)
}

ava.before(async () => {
  if (program) [registry, other] = await Promise.all([startRegistry({ program }), startRegistry({ program })])
})
ava.after.always(async () => {
  await registry?.dispose()
  await other?.dispose()
})

function open(path: string, more: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
  return openImageStore({ dataDirectory: path, log: silentLogger, clock: systemClock, ...more })
}

const layers = () => Promise.all([tar(file('a', 'a'.repeat(5000))), tar(file('b', 'b'))])

test('a pulled image keeps every digest in another registry, and is not sent twice', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const pushed = await registry.pushImage('team/app', '1', { layers: await layers(), compress: gzip })
  const image = await store.pull(pushed.reference)
  const events: PushProgress[] = []
  const to = `${other.host}/copies/app:2`
  const options = { to, onProgress: (event: PushProgress) => events.push(event) }
  t.deepEqual(await store.push(pushed.reference, options), { reference: to, digest: pushed.manifestDigest })
  const last = (digest: string) => events.findLast((event) => event.digest === digest)?.status
  for (const digest of [...pushed.layerDigests, pushed.configDigest]) t.is(last(digest), 'done')
  t.true(events.some(({ status, currentBytes }) => status === 'uploading' && currentBytes > 0))

  events.length = 0
  await store.push(image.id, options)
  for (const digest of [...pushed.layerDigests, pushed.configDigest]) t.is(last(digest), 'exists')
  await store.remove(image.id)
  t.is((await store.pull(to)).id, image.id)
})

test('what another repository of the registry has is taken over there', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const pushed = await registry.pushImage('mount/from', '1', { layers: await layers() })
  await store.pull(pushed.reference)
  const statuses: string[] = []
  await store.push(pushed.reference, {
    to: `${registry.host}/mount/to:1`,
    onProgress: ({ status }) => void statuses.push(status),
  })
  t.is(statuses.filter((status) => status === 'mounted').length, 3)
  t.false(statuses.includes('uploading'))
})

test('an index goes along when all its images are here, else the image alone', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const images = await Promise.all(
    ['amd64', 'arm64'].map(async (architecture) => {
      const one = await registry.pushImage('multi', architecture, { layers: await layers(), architecture })
      const platform = { os: 'linux', architecture }
      return { ...one, platform }
    }),
  )
  const index = await registry.pushManifest('multi', 'all', ociTypes.index, {
    schemaVersion: 2,
    mediaType: ociTypes.index,
    manifests: images.map(({ manifestDigest, manifestSize, platform }) => ({
      mediaType: ociTypes.manifest,
      digest: manifestDigest,
      size: manifestSize,
      platform,
    })),
  })
  const name = `${registry.host}/multi:all`
  const [first, second] = images
  const one = await store.pull(name, { platform: { os: 'linux', architecture: 'amd64' } })
  t.is((await store.push(one.id, { to: `${other.host}/multi:one` })).digest, first?.manifestDigest ?? '')
  await t.throwsAsync(() => store.push(one.id, { to: `${other.host}/multi@${index}` }), {
    code: 'FAILED_PRECONDITION',
  })
  const two = await store.pull(name, { platform: { os: 'linux', architecture: 'arm64' } })
  t.is(two.id, second?.configDigest ?? '')
  t.is((await store.push(two.id, { to: `${other.host}/multi:all` })).digest, index)
  for (const [at, architecture] of ['amd64', 'arm64'].entries()) {
    await using elsewhere = await temporaryDirectory()
    await using fresh = await open(elsewhere.path, { platform: { os: 'linux', architecture } })
    t.is((await fresh.pull(`${other.host}/multi:all`)).id, images[at]?.configDigest ?? '')
  }
  await using slow = await startUploadRegistry()
  slow.meddle = async ({ method }) => {
    if (method === 'POST') await store.remove(one.id)
    return false
  }
  const { digest } = await store.push(two.id, { to: `${slow.host}/app:all` })
  t.is(digest, index, 'the other image was removed meanwhile, and its blobs stayed for so long')
  slow.meddle = ({ method }) => {
    const folder = join(data.path, 'image/blobs/sha256')
    if (method === 'POST') for (const name of readdirSync(folder)) rmSync(join(folder, name))
    return false
  }
  slow.blobs.clear()
  const unread = store.push(two.id, { to: `${slow.host}/app:two` })
  await t.throwsAsync(unread, { code: 'NOT_FOUND', message: /read a blob of the image|blobs\/sha256/ })
})

test('a name to push to must be there, and the image too', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  await t.throwsAsync(() => store.push('absent'), { code: 'NOT_FOUND' })
  const pushed = await registry.pushImage('down', '1', { layers: await layers() })
  await store.pull(pushed.reference)
  await t.throwsAsync(() => store.push(pushed.reference, { to: '127.0.0.1:1/down:1' }), {
    code: 'UNAVAILABLE',
  })
  await t.throwsAsync(() => store.push(pushed.configDigest), { code: 'INVALID_ARGUMENT' })
})

test('fsck: nothing to say of a sound store; what is damaged is told, removed, and comes back', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const pushed = await registry.pushImage('checked', '1', { layers: await layers(), compress: gzip })
  const image = await store.pull(pushed.reference)
  const sound = await store.fsck({ repair: true })
  t.like(sound, { checkedBlobs: 4, checkedLayers: 2, blobs: [], layers: [], images: [], repaired: false })
  t.true(sound.checkedBytes > 0)

  const [damaged = '', missing = ''] = pushed.layerDigests
  const blob = (digest: string) => join(data.path, 'image/blobs/sha256', digest.slice(7))
  writeFileSync(blob(damaged), readFileSync(blob(damaged)).fill(0, 20))
  rmSync(blob(missing))
  const found = {
    blobs: [
      { digest: damaged, problem: 'damaged' as const },
      { digest: missing, problem: 'missing' as const },
    ],
    images: [{ id: image.id, repoTags: [pushed.reference], runs: true }],
  }
  t.like(await store.fsck(), { ...found, repaired: false })
  t.like(await store.fsck({ repair: true }), { ...found, repaired: true })
  await t.throwsAsync(() => store.push(image.id, { to: `${other.host}/checked:1` }), {
    code: 'FAILED_PRECONDITION',
    message: /no longer here/,
  })
  await store.pull(pushed.reference)
  t.like(await store.fsck(), { blobs: [], images: [] })

  const [layer = ''] = readdirSync(join(data.path, 'image/layers'))
  rmSync(join(data.path, 'image/layers', layer), { recursive: true })
  await store.snapshots.prepare('held', image.id)
  t.like(await store.fsck({ repair: true }), {
    layers: { length: 1 },
    images: [{ id: image.id, runs: false }],
  })
  t.is(store.list().length, 1, 'a container stands on it')
  await store.snapshots.remove('held')
  await store.fsck({ repair: true })
  t.deepEqual(store.list(), [])
  t.is((await store.pull(pushed.reference)).id, image.id)
  t.is(Buffer.from((await store.readFile(image.id, 'b')) ?? []).toString(), 'b')
})
