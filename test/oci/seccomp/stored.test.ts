import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compileSeccomp, StoredFilters } from '../../../src/oci/seccomp/index.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const filter = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' })

test('another process finds the filter of the same profile, and of no other', async (t) => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'filters')
  const first = new StoredFilters(path)
  first.keep('[{"a":1}]', filter)
  t.is(new StoredFilters(path).find('[{"a":1}]'), undefined, 'not before it is saved')
  first.save()
  const found = new StoredFilters(path).find('[{"a":1}]')
  t.deepEqual({ ...found, program: new Uint8Array(found?.program ?? []) }, { ...filter })
  t.is(new StoredFilters(path).find('[{"a":2}]'), undefined)
  t.is(statSync(path).mode & 0o777, 0o700)
})

test('what was changed, cut off or made by another build is as if it were not there', async (t) => {
  await using directory = await temporaryDirectory()
  const stored = new StoredFilters(directory.path)
  stored.keep('key', filter)
  stored.save()
  const [name = ''] = readdirSync(directory.path)
  const path = join(directory.path, name)
  const text = readFileSync(path, 'utf8')
  for (const other of [
    text.replace('"key"', '"kez"'),
    text.replace(/"build":"\d/, '"build":"x'),
    text.slice(0, -5),
    '',
  ]) {
    writeFileSync(path, other)
    t.is(stored.find('key'), undefined, other.slice(0, 60))
  }
  writeFileSync(path, text)
  t.truthy(stored.find('key'))
})

test('their number is bounded, and a directory that cannot be written is no failure', async (t) => {
  await using directory = await temporaryDirectory()
  const stored = new StoredFilters(directory.path)
  for (let index = 0; index < 200; index++) {
    stored.keep(`profile ${index}`.repeat(1 + index), filter)
    stored.save()
  }
  t.true(readdirSync(directory.path).length <= 64)
  rmSync(directory.path, { recursive: true })
  writeFileSync(directory.path, '')
  stored.keep('key', filter)
  t.notThrows(() => stored.save())
  t.is(stored.find('key'), undefined)
  rmSync(directory.path)
})
