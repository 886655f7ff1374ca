/** Blobs that are gone, or shorter than their descriptor says, end a save and not the process. */
import { mkdirSync, readdirSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { writeTar } from '../../../src/image/save/tar.ts'
import { eventually } from '../../support/eventually.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

async function scene(blobBytes: number) {
  const folder = await temporaryDirectory()
  mkdirSync(join(folder.path, 'blobs'))
  const blob = join(folder.path, 'blobs/one')
  writeFileSync(blob, Buffer.alloc(blobBytes))
  const target = await open(join(folder.path, 'out.tar'), 'wx')
  return {
    blob,
    target,
    files: [
      { name: 'first', content: Buffer.from('x') },
      { name: 'blobs/one', content: { path: blob, sizeBytes: blobBytes } },
      { name: 'last', content: Buffer.from('y') },
    ],
    async [Symbol.asyncDispose]() {
      await target.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // closed meanwhile
    }
  })
}

test('a blob that is shorter than it should be is DATA_LOSS that names it', async (t) => {
  await using s = await scene(100_000)
  truncateSync(s.blob, 60_000)
  await t.throwsAsync(writeTar(s.target, s.files, undefined), { code: 'DATA_LOSS', message: /^blobs\/one / })
})

test('so is one that is longer', async (t) => {
  await using s = await scene(100_000)
  truncateSync(s.blob, 140_000)
  await t.throwsAsync(writeTar(s.target, s.files, undefined), { code: 'DATA_LOSS', message: /^blobs\/one / })
})

test('a blob that is not there fails as a file does that is not there', async (t) => {
  await using s = await scene(10)
  const files = [{ name: 'none', content: { path: `${s.blob}-none`, sizeBytes: 7 } }, ...s.files]
  await t.throwsAsync(writeTar(s.target, files, undefined), { code: 'ENOENT' })
})

test('who gives up in the middle of a blob leaves no file open', async (t) => {
  await using s = await scene(8 * 2 ** 20)
  const stop = new AbortController()
  const saving = writeTar(s.target, s.files, stop.signal)
  await eventually('the blob is open', () => isOpen(s.blob))
  stop.abort(new Error('enough'))
  await t.throwsAsync(saving, { message: 'enough' })
  await eventually('the blob is closed', () => !isOpen(s.blob))
  t.pass()
})
