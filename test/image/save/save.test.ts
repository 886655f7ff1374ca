/** What a save leaves behind, also when it is not the only one. */
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { openImageStore } from '../../../src/image/index.ts'
import { file, sha256, tar } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

async function dockerArchive(): Promise<Buffer> {
  const layer = await tar(file('hello', Buffer.alloc(3 * 2 ** 20, 'world')))
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  )
  const manifest = [{ Config: 'config.json', RepoTags: ['app:1'], Layers: ['layer.tar'] }]
  return await tar(
    file('layer.tar', layer),
    file('config.json', config),
    file('manifest.json', JSON.stringify(manifest)),
  )
}

/** A store, and `in.tar` to load into it. */
async function storeBeside(directory: string) {
  writeFileSync(join(directory, 'in.tar'), await dockerArchive())
  return await openImageStore({
    dataDirectory: join(directory, 'data'),
    log: silentLogger,
    clock: systemClock,
  })
}

rootTest('saves to one path at once: each is whole, and nothing else is left beside it', async (t) => {
  await using folder = await temporaryDirectory()
  await using store = await storeBeside(folder.path)
  const [image] = await store.load(join(folder.path, 'in.tar'))
  const out = join(folder.path, 'out')
  const path = join(out, 'image.tar')
  mkdirSync(out)
  for (const format of ['oci-archive', 'docker-archive'] as const) {
    await Promise.all([1, 2, 3].map(() => store.save(['app:1'], { path, format })))
    t.deepEqual(readdirSync(out), ['image.tar'])
    t.is((await store.load(path))[0]?.id, image?.id)
  }
})

rootTest('what is saved is on disk, and its name too, before it is told as saved', async (t) => {
  await using folder = await temporaryDirectory()
  await using store = await storeBeside(folder.path)
  await store.load(join(folder.path, 'in.tar'))
  const out = join(folder.path, 'out')
  mkdirSync(out)
  const synced: string[] = []
  await using probe = await open(folder.path, 'r')
  const handles: { sync: () => Promise<void> } = Object.getPrototypeOf(probe)
  const { sync } = handles
  handles.sync = async function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`)
    if (path.startsWith(out)) synced.push(path.replace(/\.partial-[0-9a-f]+/, ''))
    await sync.call(this)
  }
  try {
    for (const format of ['oci-archive', 'docker-archive', 'oci-dir'] as const) {
      synced.length = 0
      await store.save(['app:1'], { path: join(out, format), format })
      t.is(synced.at(-1), out, 'the directory last')
      const content = join(out, `.${format}`)
      t.true(synced.includes(format === 'oci-dir' ? join(content, 'index.json') : content), format)
    }
  } finally {
    handles.sync = sync
  }
})
