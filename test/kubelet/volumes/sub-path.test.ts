import { chmod, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openSubPath } from '../../../src/kubelet/volumes/sub-path.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

async function volume(t: Parameters<typeof scratchDirectory>[0]) {
  const root = await scratchDirectory(t)
  const path = join(root, 'volume')
  await mkdir(join(path, 'in/side'), { recursive: true })
  await writeFile(join(path, 'in/side/file'), 'mine')
  await mkdir(join(root, 'outside'))
  await writeFile(join(root, 'outside/secret'), 'theirs')
  return { root, path }
}

test('a directory, a file, and a directory that is made', async (t) => {
  const { path } = await volume(t)
  await using side = await openSubPath(path, 'in/side')
  t.is(await readFile(join(side.path, 'file'), 'utf8'), 'mine')
  await using file = await openSubPath(path, './in//side/file')
  t.is(await readFile(file.path, 'utf8'), 'mine')
  await using made = await openSubPath(path, 'new/er')
  t.true((await stat(made.path)).isDirectory())
  t.true((await stat(join(path, 'new/er'))).isDirectory())
  await chmod(path, 0o777)
  await using shared = await openSubPath(path, 'for/all')
  t.is((await stat(shared.path)).mode & 0o777, 0o777, 'as open as the volume itself')
})

test('no way out by dots', async (t) => {
  const { path } = await volume(t)
  for (const out of ['..', '../outside', 'in/../../outside', '/etc'])
    await t.throwsAsync(openSubPath(path, out), { message: /must stay inside/ })
})

test('CVE-2017-1002101: a link that a container left is refused, at the end and on the way', async (t) => {
  const { root, path } = await volume(t)
  await symlink(join(root, 'outside'), join(path, 'link'))
  await symlink('../outside/secret', join(path, 'file-link'))
  for (const out of ['link', 'link/secret', 'file-link', 'link/new'])
    await t.throwsAsync(openSubPath(path, out), { message: /symbolic link/ })
  await t.throwsAsync(stat(join(root, 'outside/new')))
})

test('CVE-2021-25741: swapping the directory for a link afterwards changes nothing', async (t) => {
  const { root, path } = await volume(t)
  await using held = await openSubPath(path, 'in/side')
  await rename(join(path, 'in/side'), join(path, 'elsewhere'))
  await symlink(join(root, 'outside'), join(path, 'in/side'))
  t.is(await readFile(join(held.path, 'file'), 'utf8'), 'mine')
  await t.throwsAsync(readFile(join(held.path, 'secret')))
})

test('property by force: while a container swaps as fast as it can, nobody ever sees outside', async (t) => {
  const { root, path } = await volume(t)
  let swapping = true
  const swapper = (async () => {
    while (swapping) {
      await rename(join(path, 'in'), join(path, 'aside')).catch(() => undefined)
      await symlink(join(root, 'outside'), join(path, 'in')).catch(() => undefined)
      await rm(join(path, 'in')).catch(() => undefined)
      await rename(join(path, 'aside'), join(path, 'in')).catch(() => undefined)
    }
  })()
  for (let i = 0; i < 300; i++) {
    const held = await openSubPath(path, 'in').catch(() => undefined)
    if (!held) continue
    await t.throwsAsync(readFile(join(held.path, 'secret')))
    await held[Symbol.asyncDispose]()
  }
  swapping = false
  await swapper
})
