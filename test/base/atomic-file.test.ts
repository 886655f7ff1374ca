import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { writeAtomic } from '../../src/base/index.ts'

test('replaces a file whole and leaves no temporary name behind', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'keelson-atomic-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'state.json')
  await writeAtomic(path, 'one')
  await writeAtomic(path, 'two', { mode: 0o644 })
  t.is(await readFile(path, 'utf8'), 'two')
  t.is((await stat(path)).mode & 0o777, 0o644)
  t.deepEqual(await readdir(folder), ['state.json'])
})

test('concurrent writers never mix', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'keelson-atomic-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'state')
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000))
  await Promise.all(texts.map((text) => writeAtomic(path, text, { durable: false })))
  t.true(texts.includes(await readFile(path, 'utf8')))
  t.deepEqual(await readdir(folder), ['state'])
})

test('a write that fails leaves nothing and says where', async (t) => {
  await t.throwsAsync(writeAtomic('/no/such/folder/x', ''), { code: 'ENOENT' })
})
