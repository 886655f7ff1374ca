import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openCheckpoint } from '../../../src/pod/checkpoint/unpacked.ts'
import { FakeImages } from '../../support/fake-images.ts'

interface Given {
  images: FakeImages
  /** What the archive holds. */
  directory: string
  path: string
}

function given(t: ExecutionContext): Given {
  const path = mkdtempSync(join(tmpdir(), 'keelson-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  const directory = join(path, 'unpacked')
  mkdirSync(join(directory, 'checkpoint'), { recursive: true })
  writeFileSync(join(directory, 'checkpoint/pstree.img'), '')
  writeFileSync(join(directory, 'config.dump'), '{"rootfsImageRef":"nginx:1.7.9","checkpointedTime":"then"}')
  const images = new FakeImages()
  images.unpacked = directory
  writeFileSync(join(path, 'a.tar'), '')
  return { images, directory, path: join(path, 'a.tar') }
}

test('an absolute path is an archive; an image is one only by its annotation', async (t) => {
  const { images, path } = given(t)
  t.like(await openCheckpoint({ images }, path), { checkpointedAt: 'then' })
  t.is(await openCheckpoint({ images }, 'nginx:1.7.9'), undefined)
  t.is(await openCheckpoint({ images }, ''), undefined)
  t.is(await openCheckpoint({ images }, 'unknown'), undefined)
  images.annotations = { 'org.criu.checkpoint.container.name': 'main' }
  t.truthy(await openCheckpoint({ images }, 'nginx:1.7.9'))
})

const hostile: Record<string, (given: Given) => void> = {
  'a link for a page image': ({ directory }) =>
    symlinkSync('/etc/shadow', join(directory, 'checkpoint/pages-1.img')),
  'a link for the images': ({ directory }) => {
    rmSync(join(directory, 'checkpoint'), { recursive: true })
    symlinkSync('/etc', join(directory, 'checkpoint'))
  },
  'no images': ({ directory }) => rmSync(join(directory, 'checkpoint'), { recursive: true }),
  'a link for the log': ({ directory }) => symlinkSync('/etc/shadow', join(directory, 'container.log')),
  'a directory for what was written': ({ directory }) => mkdirSync(join(directory, 'rootfs-diff.tar')),
  'no config': ({ directory }) => rmSync(join(directory, 'config.dump')),
  'a config that leads out': ({ directory }) => {
    rmSync(join(directory, 'config.dump'))
    symlinkSync('/etc/hostname', join(directory, 'config.dump'))
  },
  'a config that is not JSON': ({ directory }) => writeFileSync(join(directory, 'config.dump'), '{'),
  'an endless config': ({ directory }) =>
    writeFileSync(join(directory, 'config.dump'), Buffer.alloc(17 * 2 ** 20)),
}

for (const [title, spoil] of Object.entries(hostile))
  test(`refused: ${title}`, async (t) => {
    const all = given(t)
    spoil(all)
    await t.throwsAsync(openCheckpoint(all, all.path), {
      code: 'INVALID_ARGUMENT',
      message: /cannot be used/,
    })
    t.true(existsSync('/etc'))
  })

test('an image that is not here is not downloaded', async (t) => {
  const { images, path, directory } = given(t)
  writeFileSync(join(directory, 'config.dump'), '{"rootfsImageRef":"registry.test/evil:1"}')
  images.pull = () => t.fail() as never
  await t.throwsAsync(openCheckpoint({ images }, path), {
    code: 'NOT_FOUND',
    message: /registry\.test\/evil:1/,
  })
})
