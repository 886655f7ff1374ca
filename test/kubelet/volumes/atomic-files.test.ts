import { lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { showFiles, type VolumeFile } from '../../../src/kubelet/volumes/atomic-files.ts'
import { scratchDirectory } from '../../support/scratch-directory.ts'

function files(entries: Record<string, string>, mode = 0o644): Map<string, VolumeFile> {
  return new Map(Object.entries(entries).map(([path, text]) => [path, { data: Buffer.from(text), mode }]))
}

async function shown(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const visit = async (below: string) => {
    for (const name of await readdir(join(directory, below))) {
      if (below === '' && name.startsWith('..')) continue
      const path = join(below, name)
      if ((await stat(join(directory, path))).isDirectory()) await visit(path)
      else found[path] = await readFile(join(directory, path), 'utf8')
    }
  }
  await visit('')
  return found
}

test('files, their modes and the links that lead to them', async (t) => {
  const directory = join(await scratchDirectory(t), 'volume')
  t.true(await showFiles(directory, files({ a: '1', 'sub/b': '2' }, 0o400)))
  t.deepEqual(await shown(directory), { a: '1', 'sub/b': '2' })
  t.is(await readlink(join(directory, 'a')), '..data/a')
  t.is((await stat(join(directory, 'a'))).mode & 0o777, 0o400)
})

test('the same set again changes nothing; another replaces it whole', async (t) => {
  const directory = await scratchDirectory(t)
  await showFiles(directory, files({ a: '1', b: '2' }))
  const version = await readlink(join(directory, '..data'))
  t.false(await showFiles(directory, files({ a: '1', b: '2' })))
  t.is(await readlink(join(directory, '..data')), version)
  t.true(await showFiles(directory, files({ a: '9', c: '3' })))
  t.deepEqual(await shown(directory), { a: '9', c: '3' })
  t.deepEqual(
    (await readdir(directory)).sort().length,
    4,
    'link, one version, two names: the old version is gone',
  )
})

test('a mode alone is a change', async (t) => {
  const directory = await scratchDirectory(t)
  await showFiles(directory, files({ a: '1' }, 0o644))
  t.true(await showFiles(directory, files({ a: '1' }, 0o600)))
  t.is((await stat(join(directory, 'a'))).mode & 0o777, 0o600)
})

test('a reader never sees a mixture', async (t) => {
  const directory = await scratchDirectory(t)
  await showFiles(directory, files({ a: '0', b: '0' }))
  let writing = true
  const reader = (async () => {
    while (writing) {
      // A process that wants both of one set opens the directory once, as upstream tells it to.
      const version = join(directory, await readlink(join(directory, '..data')))
      const both = await Promise.all([readFile(join(version, 'a')), readFile(join(version, 'b'))]).catch(
        () => undefined,
      )
      if (both && !both[0].equals(both[1])) throw new Error('mixture')
    }
  })()
  for (let i = 1; i < 50; i++) await showFiles(directory, files({ a: String(i), b: String(i) }))
  writing = false
  await t.notThrowsAsync(reader)
})

test('an unfinished earlier switch does not stand in the way', async (t) => {
  const directory = await scratchDirectory(t)
  await writeFile(join(directory, '..data_tmp'), '')
  await mkdir(join(directory, '..2020_left_over'))
  await showFiles(directory, files({ a: '1' }))
  t.deepEqual(await shown(directory), { a: '1' })
  t.true((await lstat(join(directory, '..data'))).isSymbolicLink())
})

for (const path of ['../x', 'a/../../x', '/etc/passwd', '..data', '..x/y', ''])
  test(`the path "${path}" is refused`, async (t) => {
    const directory = await scratchDirectory(t)
    await t.throwsAsync(showFiles(directory, files({ [path]: 'x' })), {
      message: /not a path inside a volume/,
    })
    t.deepEqual(await readdir(directory), [])
  })

test('property: after any history of sets the last one is shown, and nothing else', async (t) => {
  const name = fc.constantFrom('a', 'b', 'c', 'd/x', 'd/y', 'e/f/g')
  const sets = fc.array(fc.dictionary(name, fc.string({ maxLength: 5 })), { minLength: 1, maxLength: 6 })
  const root = await scratchDirectory(t)
  let count = 0
  await fc.assert(
    fc.asyncProperty(sets, async (history) => {
      const directory = join(root, String(count++))
      for (const set of history) await showFiles(directory, files(set))
      t.deepEqual(await shown(directory), { ...history.at(-1) })
    }),
    { numRuns: 40 },
  )
})
