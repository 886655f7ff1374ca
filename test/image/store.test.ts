/** The whole store against Debian's docker-registry on loopback. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import {
  type ImageStore,
  type ImageStoreOptions,
  openImageStore,
  type PullProgress,
} from '../../src/image/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { directory, file, gzip, sha256, symlink, tar } from '../support/archive.ts'
import { dockerTypes, ociTypes, type Registry, registryProgram, startRegistry } from '../support/registry.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const program = registryProgram()
let registry: Registry

/** Needs root (owners, whiteouts) and a registry; each test that is skipped says which is missing. */
function test(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (program) rootTest(title, body)
  else ava.skip(`${title} (needs docker-registry)`, body)
}

ava.before(async () => {
  if (program) registry = await startRegistry({ program })
})
ava.after.always(async () => {
  await registry?.dispose()
})

function open(path: string, more: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
  return openImageStore({ dataDirectory: path, log: silentLogger, clock: systemClock, ...more })
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()
const base = () =>
  tar(
    directory('etc/', { mode: 0o711 }),
    file('etc/passwd', 'root:x:0:0'),
    file('old', 'old'),
    directory('tmp/', { mode: 0o1777 }),
  )
const top = () => tar(file('.wh.old', ''), file('tmp/x', 'x'), symlink('link', '/etc/passwd'))

/** Names below the store's directories, for "nothing is left" assertions. */
function contents(path: string): string[] {
  return ['blobs/sha256', 'layers', 'snapshots', 'ingest'].flatMap((folder) =>
    readdirSync(join(path, 'image', folder)).map((name) => `${folder}/${name}`),
  )
}

test('pulls by tag, finds by every name, reads through the layers, snapshots, removes', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const pushed = await registry.pushImage('walk/app', '1', {
    layers: [await base(), await top()],
    compress: gzip,
    config: { Env: ['A=b'], Cmd: ['/bin/sh'], User: '5', Labels: { l: 'v' } },
  })
  const progress: PullProgress[] = []
  const image = await store.pull(pushed.reference, { onProgress: (event) => progress.push(event) })
  t.is(image.id, pushed.configDigest)
  t.deepEqual(image.repoTags, [pushed.reference])
  t.deepEqual(image.repoDigests, [`${registry.host}/walk/app@${pushed.manifestDigest}`])
  t.deepEqual(image.config.config, { User: '5', Env: ['A=b'], Cmd: ['/bin/sh'], Labels: { l: 'v' } })
  t.is(progress.filter(({ status }) => status === 'done').length, 2)

  const { host } = registry
  for (const name of [
    image.id,
    image.id.slice(7),
    image.id.slice(7, 19),
    `${host}/walk/app:1`,
    `${host}/walk/app@${pushed.manifestDigest}`,
    `${host}/walk/app:9@${pushed.manifestDigest}`,
  ])
    t.is(store.find(name)?.id, image.id, name)
  t.is(store.find(`${host}/walk/app:2`), undefined)
  t.is(store.find('NOT A NAME'), undefined)
  t.throws(() => store.get('absent'), { code: 'NOT_FOUND' })

  t.is(text(await store.readFile(image.id, '/etc/passwd')), 'root:x:0:0')
  t.is(text(await store.readFile(image.id, '/link')), 'root:x:0:0')
  t.is(text(await store.readFile(image.id, '/../../link')), 'root:x:0:0')
  t.is(await store.readFile(image.id, '/old'), undefined)
  t.is(await store.readFile(image.id, '/etc'), undefined)
  t.is(await store.readFile(image.id, '/etc/passwd/x'), undefined)
  await t.throwsAsync(() => store.readFile(image.id, '/etc/passwd', { maxBytes: 3 }), {
    code: 'RESOURCE_EXHAUSTED',
  })

  const snapshot = await store.snapshots.prepare('c1', image.id)
  t.is(snapshot.lower.length, 2)
  t.true(existsSync(join(snapshot.lower[0] ?? '', 'link')), 'topmost first')
  t.is(
    statSync(join(snapshot.lower[0] ?? '', 'tmp')).mode & 0o7777,
    0o1777,
    'a parent without an entry looks as below',
  )
  t.is(statSync(snapshot.upper).mode & 0o7777, 0o755)
  writeFileSync(join(snapshot.upper, 'written'), Buffer.alloc(10_000))
  t.true((await store.snapshots.usage('c1')).bytes >= 10_000)
  t.deepEqual(await store.snapshots.prepare('c1', image.id), snapshot)

  const usage = await store.filesystem()
  t.true(usage.usedBytes > 0 && usage.inodesUsed > 5)
  await store.remove(`${host}/walk/app:1`)
  t.deepEqual(store.list(), [])
  t.is(
    text(readFileSync(join(snapshot.lower[1] ?? '', 'etc/passwd'))),
    'root:x:0:0',
    'the snapshot keeps its layers',
  )
  await store.snapshots.remove('c1')
  await store.snapshots.remove('c1')
  await store.remove('absent')
  t.deepEqual(contents(data.path), [])
})

test('docker media types, plain layers, pull by digest without a tag, an index by platform', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path, { platform: { os: 'linux', architecture: 'arm64' } })
  const arm = await registry.pushImage('multi', 'arm', {
    layers: [await base()],
    docker: true,
    architecture: 'arm64',
  })
  const amd = await registry.pushImage('multi', 'amd', {
    layers: [await top()],
    docker: true,
    architecture: 'amd64',
  })
  const entry = (image: typeof arm, platform: object) => ({
    mediaType: dockerTypes.manifest,
    digest: image.manifestDigest,
    size: image.manifestSize,
    platform,
  })
  const index = await registry.pushManifest('multi', 'both', dockerTypes.index, {
    schemaVersion: 2,
    mediaType: dockerTypes.index,
    manifests: [
      entry(amd, { os: 'linux', architecture: 'amd64' }),
      entry(arm, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
    ],
  })
  const image = await store.pull(`${registry.host}/multi@${index}`)
  t.is(image.id, arm.configDigest)
  t.deepEqual(image.repoTags, [])
  t.deepEqual(image.repoDigests, [`${registry.host}/multi@${index}`])
  const tagged = await store.pull(`${registry.host}/multi:both`)
  t.deepEqual(tagged.repoTags, [`${registry.host}/multi:both`])
  t.is(store.list().length, 1)
  const riscv = await registry.pushManifest('multi', 'riscv', ociTypes.index, {
    schemaVersion: 2,
    mediaType: ociTypes.index,
    manifests: [entry(amd, { os: 'linux', architecture: 'riscv64' })],
  })
  await t.throwsAsync(() => store.pull(`${registry.host}/multi@${riscv}`), {
    code: 'NOT_FOUND',
    message: /linux\/arm64.*linux\/riscv64/,
  })
})

test('a tag that moves leaves the old image, which stays under its digest', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const first = await registry.pushImage('moving', 'now', { layers: [await base()] })
  await store.pull(first.reference)
  const second = await registry.pushImage('moving', 'now', { layers: [await base(), await top()] })
  await store.pull(second.reference)
  t.is(store.find(first.reference)?.id, second.configDigest)
  t.deepEqual(store.get(first.configDigest).repoTags, [])
  await store.remove(second.configDigest)
  t.is(text(await store.readFile(first.configDigest, 'etc/passwd')), 'root:x:0:0', 'the shared layer stays')
})

test('everything is there after closing and opening again; two owners are refused', async (t) => {
  await using data = await temporaryDirectory()
  const pushed = await registry.pushImage('again', '1', { layers: [await base()], compress: gzip })
  {
    await using store = await open(data.path)
    await store.pull(pushed.reference)
    await store.snapshots.prepare('kept', pushed.configDigest)
    await t.throwsAsync(() => open(data.path), {
      code: 'FAILED_PRECONDITION',
      message: /open in another process/,
    })
  }
  mkdirSync(join(data.path, 'image/snapshots/orphan/upper'), { recursive: true })
  mkdirSync(join(data.path, 'image/layers/orphan'), { recursive: true })
  writeFileSync(join(data.path, 'image/ingest/half'), 'x')
  writeFileSync(join(data.path, 'image/blobs/sha256', '0'.repeat(64)), 'x')
  await using store = await open(data.path)
  t.is(store.get(pushed.reference).id, pushed.configDigest)
  t.is(text(await store.readFile(pushed.configDigest, '/etc/passwd')), 'root:x:0:0')
  t.deepEqual(
    store.snapshots.list().map(({ key }) => key),
    ['kept'],
  )
  t.is(contents(data.path).filter((name) => /orphan|half|0{64}/.test(name)).length, 0)
  await t.throwsAsync(() => store.snapshots.prepare('kept', 'sha256:absent'), { code: 'ALREADY_EXISTS' })
  await t.throwsAsync(() => store.snapshots.prepare('../x', pushed.configDigest), {
    code: 'INVALID_ARGUMENT',
  })
  await t.throwsAsync(() => store.snapshots.prepare('new', 'sha256:absent'), { code: 'NOT_FOUND' })
})

test('after a power cut, layers that were not flushed are dropped with their images and snapshots', async (t) => {
  await using data = await temporaryDirectory()
  const safe = await registry.pushImage('power', 'safe', { layers: [await base()] })
  const lost = await registry.pushImage('power', 'lost', { layers: [await base(), await top()] })
  let flush: () => void = () => undefined
  const clock = {
    ...systemClock,
    after: (_ms: number, call: () => void) => {
      flush = call
      return () => undefined
    },
  }
  {
    await using store = await open(data.path, { clock })
    await store.pull(safe.reference)
    flush()
    await unsyncedMarks(data.path, 0)
    await store.pull(lost.reference)
    await store.snapshots.prepare('of-lost', lost.configDigest)
  }
  {
    await using ledger = await openLedger({ path: join(data.path, 'image/metadata') })
    const marks = [...ledger.range({ start: 'unsynced/', end: 'unsynced0' })].map(([key]) => key)
    t.is(marks.length, 2, 'the new layer and the image, for its blobs')
    const value = Buffer.from(JSON.stringify({ version: 1, record: { boot: 'another' } }))
    await ledger.commit(marks.map((put) => ({ put, value })))
  }
  await using store = await open(data.path)
  t.deepEqual(
    store.list().map(({ id }) => id),
    [safe.configDigest],
  )
  t.deepEqual(store.snapshots.list(), [])
  t.is(contents(data.path).filter((name) => name.startsWith('layers/')).length, 1)
  await store.pull(lost.reference)
  t.is(text(await store.readFile(lost.configDigest, 'tmp/x')), 'x')
})

/** Waits until so many layers are marked as not flushed. */
async function unsyncedMarks(path: string, count: number): Promise<void> {
  await using ledger = await openLedger({ path: join(path, 'image/metadata') })
  const marks = () => [...ledger.range({ start: 'unsynced/', end: 'unsynced0' })].length
  while (marks() !== count) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('pulls of the same image at once share the work', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const pushed = await registry.pushImage('shared', '1', {
    layers: [await base(), await top()],
    compress: gzip,
  })
  const progress: PullProgress[] = []
  const gone = new AbortController()
  const pulls = Array.from({ length: 8 }, (_, i) =>
    store.pull(pushed.reference, {
      onProgress: (event) => progress.push(event),
      ...(i === 0 && { signal: gone.signal }),
    }),
  )
  gone.abort()
  await t.throwsAsync(() => pulls[0] ?? Promise.resolve(), { code: 'CANCELLED' })
  const images = await Promise.all(pulls.slice(1))
  t.is(new Set(images.map(({ id }) => id)).size, 1)
  t.is(store.list().length, 1)
  t.is(contents(data.path).filter((name) => name.startsWith('layers/')).length, 2)
  t.is(contents(data.path).filter((name) => name.startsWith('ingest/')).length, 0)
})

test('a corrupt layer names the layer and both digests, and leaves nothing', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const layer = await tar(file('unique', 'corrupt me '.repeat(5000)))
  const pushed = await registry.pushImage('corrupt', '1', {
    layers: [await base(), layer],
    compress: gzip,
  })
  const digest = pushed.layerDigests[1] ?? ''
  const stored = registry.blobPath(digest)
  const bytes = readFileSync(stored)
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 0xff, bytes.length >> 1)
  writeFileSync(stored, bytes)
  const error = await t.throwsAsync(() => store.pull(pushed.reference), { code: 'DATA_LOSS' })
  t.true(error?.message.includes(digest) && error.message.includes(sha256(bytes)), error?.message)
  truncateSync(stored, 100)
  await t.throwsAsync(() => store.pull(pushed.reference), { code: 'DATA_LOSS', message: /wrong length/ })
  t.deepEqual(store.list(), [])
  t.deepEqual(contents(data.path), [])
})

test('a layer whose content is not what the config says is refused', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const honest = await registry.pushImage('lying', 'honest', { layers: [await base()] })
  const other = await registry.pushBlob('lying', await top())
  const manifest = {
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    config: {
      mediaType: ociTypes.config,
      digest: honest.configDigest,
      size: statSync(registry.blobPath(honest.configDigest)).size,
    },
    layers: [{ mediaType: ociTypes.layer, ...other }],
  }
  await registry.pushManifest('lying', 'wrong', ociTypes.manifest, manifest)
  const error = await t.throwsAsync(() => store.pull(`${registry.host}/lying:wrong`), { code: 'DATA_LOSS' })
  t.regex(error?.message ?? '', /uncompressed/)
  t.deepEqual(contents(data.path), [])
})

test('an image that does not exist and a registry that is down say so', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const { host } = registry
  await t.throwsAsync(() => store.pull(`${host}/nothing/here:1`), {
    code: 'NOT_FOUND',
    message: new RegExp(`${host}/nothing/here:1 does not exist`),
  })
  await t.throwsAsync(() => store.pull('127.0.0.1:1/a:1'), { code: 'UNAVAILABLE', message: /127\.0\.0\.1:1/ })
  await t.throwsAsync(() => store.pull('BAD NAME'), { code: 'INVALID_ARGUMENT' })
})

test('mirrors: in order, then the host; a mirror may have a prefix', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path, {
    mirrors: {
      'docker.io': { endpoints: ['127.0.0.1:1', registry.url], onlyMirrors: true },
      'quay.example': { endpoints: [`${registry.host}/copies`], onlyMirrors: true },
      'nowhere.example': { endpoints: [], onlyMirrors: true },
    },
  })
  await registry.pushImage('library/nginx', '1.7.9', { layers: [await base()] })
  await registry.pushImage('copies/team/app', 'latest', { layers: [await top()] })
  const nginx = await store.pull('nginx:1.7.9')
  t.deepEqual(nginx.repoTags, ['docker.io/library/nginx:1.7.9'])
  for (const name of [
    'nginx:1.7.9',
    'library/nginx:1.7.9',
    'docker.io/nginx:1.7.9',
    'index.docker.io/library/nginx:1.7.9',
  ])
    t.is(store.find(name)?.id, nginx.id)
  t.deepEqual((await store.pull('quay.example/team/app')).repoTags, ['quay.example/team/app:latest'])
  await t.throwsAsync(() => store.pull('nginx:absent'), { code: 'UNAVAILABLE', message: /127\.0\.0\.1:1/ })
  await t.throwsAsync(() => store.pull('nowhere.example/a'), { code: 'FAILED_PRECONDITION' })
})

test('more layers than threads, several rounds: none is mixed up with another', async (t) => {
  await using data = await temporaryDirectory()
  await using store = await open(data.path)
  const layers = await Promise.all(
    Array.from({ length: 24 }, (_, i) => tar(file(`only-${i}`, Buffer.alloc((i % 5) * 300_000 + 1, i)))),
  )
  const pushed = await registry.pushImage('many', '1', { layers, compress: gzip })
  for (let round = 0; round < 3; round++) {
    await store.pull(pushed.reference)
    for (let i = 0; i < 24; i++)
      t.is((await store.readFile(pushed.configDigest, `only-${i}`, { maxBytes: 2 ** 22 }))?.[0], i)
    await store.remove(pushed.configDigest)
  }
})

test('kill -9 during a pull leaves nothing visible; the next pull succeeds', async (t) => {
  await using data = await temporaryDirectory()
  const layers = await Promise.all(
    Array.from({ length: 4 }, (_, i) =>
      tar(...Array.from({ length: 200 }, (_, k) => file(`d${i}/f${k}`, Buffer.alloc(20_000, i)))),
    ),
  )
  const pushed = await registry.pushImage('killed', '1', { layers, compress: gzip })
  for (const delayMs of [0, 15, 60]) {
    await pullUntilKilled(data.path, pushed.reference, delayMs)
    await using store = await open(data.path)
    t.deepEqual(
      contents(data.path).filter((name) => name.startsWith('ingest/')),
      [],
    )
    if (store.list().length === 0) t.deepEqual(contents(data.path), [])
    await store.pull(pushed.reference)
    t.is((await store.readFile(pushed.configDigest, 'd3/f199'))?.length, 20_000)
    await store.remove(pushed.configDigest)
  }
})

async function pullUntilKilled(path: string, reference: string, delayMs: number): Promise<void> {
  const root = new URL('../../src/', import.meta.url).href
  const program = `
    const { openImageStore } = await import('${root}image/index.ts')
    const { silentLogger, systemClock } = await import('${root}base/index.ts')
    const store = await openImageStore({ dataDirectory: ${JSON.stringify(path)}, log: silentLogger, clock: systemClock })
    let told = false
    await store.pull(${JSON.stringify(reference)}, { onProgress: ({ status }) => { if (!told && status === 'downloading') { told = true; console.log('go') } } })
    console.log('done')`
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  child.kill('SIGKILL')
  await exited
}
