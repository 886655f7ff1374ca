/** Debian's docker-registry as a private one: TLS with an authority of its own, and a password. */
import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ava, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import {
  dockerCredentials,
  type ImageStoreOptions,
  type Mirror,
  openImageStore,
} from '../../../src/image/index.ts'
import { file, gzip, tar } from '../../support/archive.ts'
import { type Registry, registryProgram, skopeo, startRegistry } from '../../support/registry.ts'
import { rootTest } from '../../support/root.ts'
import { selfSigned } from '../../support/self-signed.ts'
import { skipWithout } from '../../support/skip.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const program = registryProgram()
const test = skipWithout('docker-registry', program !== undefined, rootTest)
let open: Registry
let guarded: Registry
let folder: Awaited<ReturnType<typeof temporaryDirectory>>

ava.before(async () => {
  if (!program) return
  const guard = await selfSigned()
  folder = await temporaryDirectory()
  writeFileSync(join(folder.path, 'ca.pem'), guard.cert)
  ;[open, guarded] = await Promise.all([startRegistry({ program }), startRegistry({ program, guard })])
})
ava.after.always(async () => {
  await open?.dispose()
  await guarded?.dispose()
  await folder?.[Symbol.asyncDispose]()
})

const me = { username: 'me', password: 'secret' }

async function store(path: string, how: Partial<Mirror>, more: Partial<ImageStoreOptions> = {}) {
  const mirrors = { [guarded.host]: { endpoints: [], server: `https://${guarded.host}`, ...how } }
  return await openImageStore({
    dataDirectory: path,
    mirrors,
    log: silentLogger,
    clock: systemClock,
    ...more,
  })
}

async function pushed(t: ExecutionContext, name: string) {
  const layers = await Promise.all([tar(file('a', 'a'.repeat(9000))), tar(file('b', t.title))])
  return await open.pushImage(name, '1', { layers, compress: gzip })
}

test('push and pull with a password and an authority of its own; digests stay', async (t) => {
  await using data = await temporaryDirectory()
  await using images = await store(data.path, { caFile: join(folder.path, 'ca.pem') })
  const image = await pushed(t, 'private/app')
  await images.pull(image.reference)
  const to = `${guarded.host}/private/app:1`
  t.is((await images.push(image.reference, { to, auth: me })).digest, image.manifestDigest)
  await images.remove(image.configDigest)
  for (const auth of [undefined, { ...me, password: 'wrong' }])
    await t.throwsAsync(() => images.pull(to, { ...(auth && { auth }) }), {
      code: 'UNAUTHENTICATED',
      message: auth ? /refuses these credentials/ : /private or does not exist/,
    })
  t.is((await images.pull(to, { auth: me })).id, image.configDigest)
  await t.throwsAsync(() => images.pull(`${guarded.host}/private/app:9`, { auth: me }), { code: 'NOT_FOUND' })
})

test('credentials from a file of docker login; a certificate nobody vouches for is told or, where asked, taken', async (t) => {
  await using data = await temporaryDirectory()
  const config = join(data.path, 'config.json')
  const auth = Buffer.from('me:secret').toString('base64')
  writeFileSync(config, JSON.stringify({ auths: { [guarded.host]: { auth } } }))
  const credentials = dockerCredentials({ files: [config], environment: {} })
  const image = await pushed(t, 'file/app')
  const to = `${guarded.host}/file/app:1`
  {
    await using images = await store(data.path, { skipVerify: true }, { credentials })
    await images.pull(image.reference)
    await images.push(image.reference, { to })
    await images.remove(image.configDigest)
    t.is((await images.pull(to)).id, image.configDigest)
  }
  await using images = await store(data.path, {}, { credentials })
  await t.throwsAsync(() => images.pull(to), {
    code: 'UNAVAILABLE',
    message: /does not answer: .*certificate/,
  })
})

test('a layer of many pieces arrives whole', async (t) => {
  await using data = await temporaryDirectory()
  await using images = await store(data.path, {})
  const layer = await tar(file('large', Buffer.alloc(70 * 2 ** 20, 'keelson')))
  const image = await open.pushImage('large', '1', { layers: [layer] })
  await images.pull(image.reference)
  const seen: number[] = []
  const onProgress = ({ digest, currentBytes }: { digest: string; currentBytes: number }) => {
    if (digest === image.layerDigests[0]) seen.push(currentBytes)
  }
  // What is mounted goes nowhere: a repository of another registry.
  await using second = await startRegistry()
  await images.push(image.reference, { to: `${second.host}/large:1`, onProgress })
  t.true(seen.length > 100 && seen.every((bytes, at) => bytes >= (seen[at - 1] ?? 0)))
  await images.remove(image.configDigest)
  t.is((await images.pull(`${second.host}/large:1`)).id, image.configDigest)
})

skipWithout(
  'skopeo',
  hasSkopeo(),
  test,
)('what we push, skopeo copies; what skopeo copies, we pull: the same bytes', async (t) => {
  await using data = await temporaryDirectory()
  await using images = await store(data.path, {})
  const image = await pushed(t, 'exchange/app')
  await images.pull(image.reference)
  await images.push(image.reference, { to: `${open.host}/exchange/ours:1` })
  await skopeo(`docker://${open.host}/exchange/ours:1`, `docker://${open.host}/exchange/theirs:1`)
  const theirs = await images.pull(`${open.host}/exchange/theirs:1`)
  t.deepEqual(
    theirs.repoDigests.filter((name) => name.includes('theirs')),
    [`${open.host}/exchange/theirs@${image.manifestDigest}`],
  )
  const inspect = ['inspect', '--tls-verify=false', '--raw', `docker://${open.host}/exchange/ours:1`]
  const { stdout } = await promisify(execFile)('skopeo', inspect)
  t.is(JSON.parse(stdout).config.digest, image.configDigest)
})

function hasSkopeo(): boolean {
  return spawnSync('skopeo', ['--version']).status === 0
}
