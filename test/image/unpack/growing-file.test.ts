import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { GrowingFile } from '../../../src/image/unpack/growing-file.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const chunkBytes = 256 * 1024

async function grown(bytes: number) {
  const folder = await temporaryDirectory()
  const path = join(folder.path, 'file')
  await writeFile(path, Buffer.alloc(bytes, 'x'))
  const file = await open(path, 'r')
  return {
    fd: file.fd,
    async [Symbol.asyncDispose]() {
      await file.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('with all of it at hand, an abort is heard before the next chunk', async (t) => {
  await using on = await grown(5 * chunkBytes)
  let asked = 0
  const file: GrowingFile = new GrowingFile(on.fd, () => {
    asked += 1
    if (asked === 3) file.abort(new Error('enough'))
  })
  file.grown(5 * chunkBytes, true)
  let chunks = 0
  const read = async () => {
    for await (const chunk of file.chunks()) chunks += chunk.length / chunkBytes
  }
  await t.throwsAsync(read, { message: 'enough' })
  t.is(chunks, 2)
})

test('no more is read than it was said to have grown to, and then to its end', async (t) => {
  await using on = await grown(chunkBytes + 100)
  const file = new GrowingFile(on.fd, () => undefined)
  const chunks = file.chunks()[Symbol.asyncIterator]()
  file.grown(60, false)
  t.is((await chunks.next()).value?.length, 60)
  const next = chunks.next()
  file.grown(chunkBytes + 100, true)
  t.is((await next).value?.length, chunkBytes)
  t.is((await chunks.next()).value?.length, 40)
  t.true((await chunks.next()).done)
})
