/**
 * Images go to and from other tools, through archives and through Debian's docker-registry, in both directions: what
 * one of them writes the other reads, and manifest, config and layers keep their digests.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { type ArchiveFormat, type ManagedImageStore, openImageStore } from '../../src/image/index.ts'
import { file, gzip, sha256, tar } from '../support/archive.ts'
import { containerdPeers, startContainerdHost } from '../support/containerd-host.ts'
import { findPeer } from '../support/peers.ts'
import { podmanPeers, startPodmanHost } from '../support/podman-host.ts'
import { type PushedImage, type Registry, registryProgram, startRegistry } from '../support/registry.ts'
import { rootTest } from '../support/root.ts'
import { skipWithout } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const launcher = new URL('../../bin/keelson-oci', import.meta.url).pathname
const isInstalled = (program: string) => {
  try {
    return execFileSync(program, ['--version']).length > 0
  } catch {
    return false
  }
}
const registryTest = skipWithout('docker-registry', registryProgram() !== undefined, rootTest)
const skopeoTest = skipWithout('skopeo', isInstalled('skopeo'), registryTest)
const umociTest = skipWithout('umoci', isInstalled('umoci'), registryTest)
const podmanTest = skipWithout('podman', podmanPeers.every(findPeer), registryTest)
const containerdTest = skipWithout('containerd', containerdPeers.every(findPeer), registryTest)

interface Scene extends AsyncDisposable {
  store: ManagedImageStore
  registry: Registry
  /** Two images that share a layer, in the store. */
  one: PushedImage
  two: PushedImage
  path(name: string): string
  save(format: ArchiveFormat, path: string, ...names: string[]): Promise<void>
}

async function scene(folder?: string): Promise<Scene> {
  const temporary = await temporaryDirectory()
  const registry = await startRegistry()
  const store = await openImageStore({
    dataDirectory: join(temporary.path, 'data'),
    log: silentLogger,
    clock: systemClock,
  })
  const base = await tar(file('base', 'x'.repeat(10_000)))
  const image = async (name: string) => {
    const layers = [base, await tar(file(name, name))]
    const config = { Env: [`NAME=${name}`], Cmd: ['/bin/true'] }
    const pushed = await registry.pushImage(`library/${name}`, '1', { layers, config, compress: gzip })
    await store.pull(pushed.reference)
    await store.tag(pushed.reference, `localhost/${name}:1`)
    return pushed
  }
  const [one, two] = [await image('one'), await image('two')]
  return {
    store,
    registry,
    one,
    two,
    path: (name) => join(folder ?? temporary.path, name),
    save: (format, path, ...names) => store.save(names, { format, path }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await registry.dispose()
      await temporary[Symbol.asyncDispose]()
    },
  }
}

const skopeo = (...args: string[]) => execFileSync('skopeo', args, { encoding: 'utf8', stdio: 'pipe' })

/** Empties the store, loads the archive, and compares with what was there before. */
async function loadsAs(
  t: ExecutionContext,
  s: Scene,
  path: string,
  wanted: readonly PushedImage[],
  names: readonly string[],
) {
  for (const { id } of s.store.list()) await s.store.remove(id)
  const loaded = await s.store.load(path)
  t.deepEqual(
    loaded.map(({ id }) => id).toSorted(),
    wanted.map(({ configDigest }) => configDigest).toSorted(),
    path,
  )
  t.deepEqual(loaded.flatMap(({ repoTags }) => repoTags).toSorted(), names.toSorted(), path)
  return loaded
}

skopeoTest('skopeo reads all three formats and writes what is loaded, with the same digests', async (t) => {
  await using s = await scene()
  const [oci, docker, folder] = [s.path('oci.tar'), s.path('docker.tar'), s.path('layout')]
  await s.save('oci-archive', oci, 'localhost/one:1', 'localhost/two:1')
  await s.save('oci-dir', folder, 'localhost/one:1')
  await s.save('docker-archive', docker, 'localhost/one:1', 'localhost/two:1')
  const raw = (name: string) => sha256(Buffer.from(skopeo('inspect', '--raw', name)))
  t.is(raw(`oci-archive:${oci}:localhost/one:1`), s.one.manifestDigest)
  t.is(raw(`oci-archive:${oci}:localhost/two:1`), s.two.manifestDigest)
  t.is(raw(`oci:${folder}:localhost/one:1`), s.one.manifestDigest)
  for (const archive of [docker, oci])
    t.is(
      sha256(
        Buffer.from(skopeo('inspect', '--config', '--raw', `docker-archive:${archive}:localhost/two:1`)),
      ),
      s.two.configDigest,
    )
  const back = s.path('back.tar')
  skopeo(
    'copy',
    '--insecure-policy',
    `oci-archive:${oci}:localhost/one:1`,
    `oci-archive:${back}:localhost/one:1`,
  )
  const [loaded] = await loadsAs(t, s, back, [s.one], ['localhost/one:1'])
  t.is(s.store.describe(loaded?.id ?? '').manifestDigest, s.one.manifestDigest)
  await loadsAs(t, s, docker, [s.one, s.two], ['localhost/one:1', 'localhost/two:1'])
})

skopeoTest('through a registry: pushed by us, read by skopeo, pushed by skopeo, pulled by us', async (t) => {
  await using s = await scene()
  const to = `${s.registry.host}/ours/one:2`
  const { digest } = await s.store.push('localhost/one:1', { to })
  t.is(digest, s.one.manifestDigest)
  t.is(sha256(Buffer.from(skopeo('inspect', '--raw', '--tls-verify=false', `docker://${to}`))), digest)
  const theirs = `${s.registry.host}/theirs/one:3`
  skopeo(
    ...['copy', '--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'],
    ...[`docker://${to}`, `docker://${theirs}`],
  )
  const pulled = await s.store.pull(theirs)
  t.is(pulled.id, s.one.configDigest)
  t.true(pulled.repoDigests.includes(`${s.registry.host}/theirs/one@${digest}`))
})

umociTest('umoci lists, unpacks and writes layouts; what it made is loaded', async (t) => {
  await using s = await scene()
  const folder = s.path('layout')
  await s.save('oci-dir', folder, 'localhost/one:1')
  const umoci = (...args: string[]) => execFileSync('umoci', args, { encoding: 'utf8', stdio: 'pipe' })
  t.is(umoci('ls', '--layout', folder).trim(), 'localhost/one:1')
  umoci('config', '--image', `${folder}:localhost/one:1`, '--tag', 'made', '--config.user', '1000')
  umoci('unpack', '--image', `${folder}:made`, s.path('bundle'))
  t.is(readFileSync(s.path('bundle/rootfs/one'), 'utf8'), 'one')
  umoci('rm', '--image', `${folder}:localhost/one:1`)
  const [loaded] = await s.store.load(folder, { reference: 'localhost/made:1' })
  t.is(loaded?.config.config.User, '1000')
  t.deepEqual(loaded?.layers, s.store.get(s.one.configDigest).layers)
})

podmanTest('podman loads all three formats and saves what is loaded, with the same ids', async (t) => {
  await using podman = await startPodmanHost(launcher)
  await using s = await scene(podman.host.folder)
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await podman.command(args)
    t.is(code, 0, stderr)
    return stdout.trim()
  }
  const both = ['localhost/one:1', 'localhost/two:1']
  for (const format of ['oci-archive', 'docker-archive'] as const) {
    const path = s.path(`${format}.tar`)
    await s.save(format, path, ...both)
    await run('load', '--input', path)
    for (const [name, { configDigest }] of [
      ['localhost/one:1', s.one],
      ['localhost/two:1', s.two],
    ] as const)
      t.is(`sha256:${await run('image', 'inspect', '--format', '{{.Id}}', name)}`, configDigest, format)
    const back = s.path(`back-${format}.tar`)
    await run('save', '--format', format, '--output', back, 'localhost/one:1')
    const again = await openImageStore({
      dataDirectory: s.path(`data-${format}`),
      log: silentLogger,
      clock: systemClock,
    })
    await using _again = again
    const [loaded] = await again.load(back)
    t.deepEqual(loaded?.layers, s.store.get(s.one.configDigest).layers)
    t.deepEqual(loaded?.repoTags, ['localhost/one:1'])
    await run('rmi', '--force', ...both)
  }
})

containerdTest(
  'containerd imports both archives and exports what is loaded, with the same digests',
  async (t) => {
    await using containerd = await startContainerdHost(launcher)
    await using s = await scene(containerd.host.folder)
    const ctr = async (...args: string[]) => {
      const { code, stdout, stderr } = await containerd.ctr(['images', ...args])
      t.is(code, 0, stderr)
      return stdout
    }
    const oci = s.path('oci.tar')
    await s.save('oci-archive', oci, 'localhost/one:1', 'localhost/two:1')
    await ctr('import', oci)
    const list = await ctr('ls')
    for (const [name, { manifestDigest }] of [
      ['localhost/one:1', s.one],
      ['localhost/two:1', s.two],
    ] as const)
      t.regex(list, new RegExp(`${name} .*${manifestDigest}`))
    const back = s.path('back.tar')
    await ctr('export', back, 'localhost/one:1', 'localhost/two:1')
    const loaded = await loadsAs(t, s, back, [s.one, s.two], ['localhost/one:1', 'localhost/two:1'])
    t.deepEqual(
      loaded.map(({ id }) => s.store.describe(id).manifestDigest).toSorted(),
      [s.one.manifestDigest, s.two.manifestDigest].toSorted(),
    )
    const docker = s.path('docker.tar')
    await s.save('docker-archive', docker, 'localhost/one:1')
    await ctr('rm', 'localhost/one:1')
    await ctr('import', docker)
    t.regex(await ctr('ls'), /localhost\/one:1 /)
  },
)
