/** Archives: what skopeo and tar write is loaded; what is broken is refused and leaves nothing. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { openImageStore } from '../../src/image/index.ts'
import { file, gzip, type Member, sha256, symlink, tar } from '../support/archive.ts'
import { ociTypes, registryProgram, skopeo, startRegistry } from '../support/registry.ts'
import { rootTest } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'

async function scene() {
  const folder = await temporaryDirectory()
  const store = await openImageStore({
    dataDirectory: join(folder.path, 'data'),
    log: silentLogger,
    clock: systemClock,
  })
  return {
    store,
    path: (name: string) => join(folder.path, name),
    leftovers: () =>
      ['blobs/sha256', 'layers', 'ingest'].flatMap((name) =>
        readdirSync(join(folder.path, 'data/image', name)),
      ),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Files of an OCI layout with one image. */
async function ociLayout(annotations: Record<string, string> = {}) {
  const layer = await tar(file('hello', 'world'))
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: ociTypes.manifest,
      config: { mediaType: ociTypes.config, digest: sha256(config), size: config.length },
      layers: [{ mediaType: ociTypes.layer, digest: sha256(gzip(layer)), size: gzip(layer).length }],
    }),
  )
  const index = {
    schemaVersion: 2,
    manifests: [
      { mediaType: ociTypes.manifest, digest: sha256(manifest), size: manifest.length, annotations },
    ],
  }
  const blob = (bytes: Buffer) => file(`blobs/sha256/${sha256(bytes).slice(7)}`, bytes)
  const files = [
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', JSON.stringify(index)),
    ...[gzip(layer), config, manifest].map(blob),
  ]
  return { files, id: sha256(config), digest: sha256(manifest) }
}

function writeFolder(path: string, files: readonly Member[]): void {
  for (const { name, content = '' } of files) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), content)
  }
}

rootTest('an OCI layout as a directory, through a link, and as a tar', async (t) => {
  const layout = await ociLayout({ 'io.containerd.image.name': 'docker.io/library/hello:1' })
  {
    await using s = await scene()
    writeFolder(s.path('layout'), layout.files)
    symlinkSync('layout', s.path('link'))
    const [image] = await s.store.load(s.path('link'))
    t.is(image?.id, layout.id)
    t.deepEqual(image?.repoTags, ['docker.io/library/hello:1'])
    t.deepEqual(image?.repoDigests, [`docker.io/library/hello@${layout.digest}`])
    t.is(Buffer.from((await s.store.readFile(layout.id, 'hello')) ?? []).toString(), 'world')
  }
  await using s = await scene()
  writeFileSync(s.path('layout.tar'), await tar(...layout.files))
  const [image] = await s.store.load(s.path('layout.tar'), { reference: 'other:2' })
  t.deepEqual(image?.repoTags, ['docker.io/library/other:2'])
  t.is(s.store.get('other:2').id, layout.id)
  t.is(s.leftovers().filter((name) => name.startsWith('load')).length, 0)
})

rootTest('a docker-archive, with layer files behind links as docker writes them', async (t) => {
  await using s = await scene()
  const layers = [await tar(file('a', '1')), await tar(file('.wh.a', ''), file('b', '2'))]
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Cmd: ['x'] },
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    }),
  )
  const archive = await tar(
    file('real/layer.tar', layers[0]),
    symlink('one/layer.tar', '../real/layer.tar'),
    file('two/layer.tar', layers[1]),
    file('config.json', config),
    file(
      'manifest.json',
      JSON.stringify([
        {
          Config: 'config.json',
          RepoTags: ['app:1', 'reg.example/app:1'],
          Layers: ['one/layer.tar', 'two/layer.tar'],
        },
      ]),
    ),
  )
  writeFileSync(s.path('saved.tar.gz'), gzip(archive))
  const [image] = await s.store.load(s.path('saved.tar.gz'))
  t.is(image?.id, sha256(config))
  t.deepEqual(image?.repoTags, ['docker.io/library/app:1', 'reg.example/app:1'])
  t.deepEqual(image?.repoDigests, [])
  t.is(await s.store.readFile(sha256(config), 'a'), undefined)
  t.is(Buffer.from((await s.store.readFile(sha256(config), 'b')) ?? []).toString(), '2')
})

const broken: [title: string, files: () => Promise<Member[]>, code: string][] = [
  ['no image at all', async () => [file('readme', 'x')], 'INVALID_ARGUMENT'],
  ['index.json that is not JSON', async () => [file('index.json', '{')], 'DATA_LOSS'],
  ['a missing blob', async () => (await ociLayout()).files.slice(0, -2), 'INVALID_ARGUMENT'],
  [
    'a damaged manifest',
    async () => {
      const { files, digest } = await ociLayout()
      return files.map((one) => (one.name.endsWith(digest.slice(7)) ? { ...one, content: '{"x":1}' } : one))
    },
    'DATA_LOSS',
  ],
  [
    'a layer file outside (docker-archive with a link to the host)',
    async () => [
      file('manifest.json', JSON.stringify([{ Config: 'c', Layers: ['l'] }])),
      file('c', JSON.stringify({ rootfs: { type: 'layers', diff_ids: [sha256(Buffer.from('x'))] } })),
      symlink('l', '/etc/passwd'),
    ],
    'INVALID_ARGUMENT',
  ],
]
for (const [title, files, code] of broken)
  rootTest(`refused: ${title}`, async (t) => {
    await using s = await scene()
    writeFileSync(s.path('x.tar'), await tar(...(await files())))
    await t.throwsAsync(() => s.store.load(s.path('x.tar')), { code })
    t.deepEqual(s.store.list(), [])
    t.deepEqual(s.leftovers(), [])
  })

rootTest('refused: a path that is not there', async (t) => {
  await using s = await scene()
  await t.throwsAsync(() => s.store.load(s.path('absent')), { code: 'NOT_FOUND', message: /absent/ })
})

function hasSkopeo(): boolean {
  try {
    return execFileSync('skopeo', ['--version']).length > 0
  } catch {
    return false
  }
}

const peersTitle = 'what skopeo copies out of a registry loads as the same image that is pulled'
async function peers(t: ExecutionContext): Promise<void> {
  await using s = await scene()
  await using registry = await startRegistry()
  const pushed = await registry.pushImage('peer', '1', {
    layers: [await tar(file('hello', 'peer'))],
    compress: gzip,
  })
  await skopeo(`docker://${pushed.reference}`, `oci-archive:${s.path('oci.tar')}:peer:1`)
  await skopeo(`docker://${pushed.reference}`, `docker-archive:${s.path('docker.tar')}:peer:1`)
  const [fromOci] = await s.store.load(s.path('oci.tar'))
  const [fromDocker] = await s.store.load(s.path('docker.tar'))
  const pulled = await s.store.pull(pushed.reference)
  t.is(fromOci?.id, pulled.id)
  t.deepEqual(fromDocker?.layers, pulled.layers)
  t.is(Buffer.from((await s.store.readFile(pulled.id, 'hello')) ?? []).toString(), 'peer')
  t.is(s.leftovers().filter((name) => /^[a-f0-9]{24}-/.test(name)).length, 1, 'one layer directory for all')
}
if (hasSkopeo() && registryProgram()) rootTest(peersTitle, peers)
else ava.skip(`${peersTitle} (needs skopeo and docker-registry)`, peers)

rootTest(
  'images are read one after the other, not all before the first; more than a thousand are refused',
  async (t) => {
    const layout = await ociLayout()
    await using s = await scene()
    const entry = { mediaType: ociTypes.manifest, digest: layout.digest, size: 1 }
    const absent = { ...entry, digest: sha256(Buffer.from('absent')) }
    const index = JSON.stringify({ schemaVersion: 2, manifests: [entry, absent] })
    writeFolder(s.path('layout'), [...layout.files, file('index.json', index)])
    await t.throwsAsync(s.store.load(s.path('layout')), { message: /lacks blobs/ })
    t.deepEqual(
      s.store.list().map(({ id }) => id),
      [layout.id],
      'the first was installed before the second was looked for',
    )
    const many = Array.from({ length: 1001 }, () => ({ Config: 'config.json', Layers: [] }))
    writeFolder(s.path('docker'), [file('manifest.json', JSON.stringify(many))])
    await t.throwsAsync(s.store.load(s.path('docker')), { code: 'DATA_LOSS', message: /1001 images/ })
  },
)
