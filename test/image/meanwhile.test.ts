/** A store at work: collections during a load, removals during a check, a push of which one part fails. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { type ManagedImageStore, openImageStore } from '../../src/image/index.ts'
import { file, tar } from '../support/archive.ts'
import { eventually } from '../support/eventually.ts'
import { addImage } from '../support/layered-image.ts'
import { rootTest as test } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { startUploadRegistry } from '../support/upload-registry.ts'

async function scene() {
  const folder = await temporaryDirectory()
  const dataDirectory = join(folder.path, 'data')
  const store: ManagedImageStore = await openImageStore({
    dataDirectory,
    log: silentLogger,
    clock: systemClock,
  })
  return {
    store,
    blobs: () => readdir(join(dataDirectory, 'image/blobs/sha256')),
    layers: () => readdir(join(dataDirectory, 'image/layers')),
    /** An OCI layout with one image of noise, in so many layers. */
    async layout(name: string, count: number, layerBytes: number, place = name): Promise<string> {
      const path = join(folder.path, place.replaceAll(/\W/g, '-'))
      await mkdir(path)
      await writeFile(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
      await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [] }))
      const archives = Array.from({ length: count }, (_, at) => tar(file(`f${at}`, randomBytes(layerBytes))))
      await addImage(path, name, await Promise.all(archives))
      return path
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Does one thing again and again until the other has ended. */
async function during<Result>(work: Promise<Result>, meanwhile: () => Promise<unknown>): Promise<Result> {
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  ended.catch(() => undefined)
  while (!isOver) {
    await meanwhile()
    await new Promise(setImmediate)
  }
  return ended
}

test('what a load brings is not collected before its image is recorded', async (t) => {
  await using s = await scene()
  const path = await s.layout('localhost/loaded:1', 8, 300_000)
  let collections = 0
  const [image] = await during(s.store.load(path), async () => {
    collections += 1
    await s.store.prune()
  })
  t.true(collections > 1)
  t.is(image?.layers.length, 8)
  t.is((await s.blobs()).length, 10, 'config, manifest and layers')
  t.is((await s.layers()).length, 8)
  t.deepEqual((await s.store.fsck()).images, [])
})

test('two loads of one name at once: both images are there, and one has the name', async (t) => {
  await using s = await scene()
  const paths = [
    await s.layout('localhost/same:1', 2, 1000),
    await s.layout('localhost/same:1', 1, 900, 'other'),
  ]
  const loaded = (await Promise.all(paths.map((path) => s.store.load(path)))).flat()
  t.is(new Set(loaded.map(({ id }) => id)).size, 2)
  const tagged = s.store.list().filter(({ repoTags }) => repoTags.includes('localhost/same:1'))
  t.is(tagged.length, 1)
  t.is(s.store.list().length, 2)
  t.is(tagged[0]?.id, s.store.get('localhost/same:1').id)
})

test('fsck of a store at work: what was removed meanwhile is no damage', async (t) => {
  await using s = await scene()
  for (const at of [1, 2, 3, 4]) await s.store.load(await s.layout(`localhost/i${at}:1`, 3, 400_000))
  const kept = s.store.get('localhost/i4:1')
  const check = s.store.fsck({ repair: true })
  for (const at of [1, 2, 3]) await s.store.remove(`localhost/i${at}:1`)
  const { blobs, layers, images, repaired } = await check
  t.deepEqual({ blobs, layers, images, repaired }, { blobs: [], layers: [], images: [], repaired: false })
  t.deepEqual(
    s.store.list().map(({ id }) => id),
    [kept.id],
  )
  t.deepEqual((await s.store.fsck()).images, [])
})

test('a push that fails stops its other uploads, and the image may go at once', async (t) => {
  await using s = await scene()
  await s.store.load(await s.layout('localhost/pushed:1', 3, 200_000))
  await using registry = await startUploadRegistry()
  let begun = 0
  let closed = 0
  registry.meddle = async (request, response) => {
    if (request.method !== 'PATCH' && request.method !== 'PUT') return false
    begun += 1
    if (begun === 1) {
      await eventually('another upload is on its way', () => begun > 1)
      response.writeHead(403).end()
      return true
    }
    request.resume()
    response.once('close', () => {
      closed += 1
    })
    await once(response, 'close') // never answered: only the client can end it
    return true
  }
  const to = `${registry.host}/app:1`
  const options = { to }
  const startedMs = Date.now()
  await t.throwsAsync(s.store.push('localhost/pushed:1', options))
  t.true(Date.now() - startedMs < 20_000, 'nobody waits for the others')
  await eventually('the others are given up', () => closed === begun - 1)
  await s.store.remove('localhost/pushed:1')
  t.deepEqual(await s.blobs(), [])
})

test('a store that is closed has ended its removals, and begins none', async (t) => {
  await using s = await scene()
  await s.store.load(await s.layout('localhost/going:1', 120, 1000))
  const removal = s.store.remove('localhost/going:1')
  await s.store[Symbol.asyncDispose]()
  t.deepEqual([await s.blobs(), await s.layers()], [[], []])
  await t.notThrowsAsync(removal)
  await t.throwsAsync(s.store.prune({ all: true }))
})
