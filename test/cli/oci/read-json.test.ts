import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readJson } from '../../../src/cli/oci/read-json.ts'

const folder = mkdtempSync(join(tmpdir(), 'keelson-json-'))
test.after.always(() => rmSync(folder, { recursive: true }))

function fileOf(text: string): string {
  const path = join(folder, `${Math.random()}.json`)
  writeFileSync(path, text)
  return path
}

test('what is JSON comes back, brackets in strings are no depth', (t) => {
  const value = { a: ['[[[{{{"', '\\', { b: null }] }
  t.deepEqual(readJson(fileOf(JSON.stringify(value))), value)
  t.is((readJson(fileOf(JSON.stringify('['.repeat(2000)))) as string).length, 2000)
})

test('what is no JSON is told with line and column where the parser knows them', (t) => {
  const missingComma = fileOf('{\n  "a": 1\n  "b": 2\n}')
  t.throws(() => readJson(missingComma), { message: /is not JSON: .*\(line 3, column 3\)$/ })
  t.throws(() => readJson(fileOf('{"a": [')), { message: /is not JSON/ })
  t.throws(() => readJson(fileOf('')), { message: /is not JSON/ })
  t.throws(() => readJson(join(folder, 'none')), { message: /no such file or directory/, code: 'NOT_FOUND' })
  t.throws(() => readJson(folder), { message: /EISDIR/ })
})

test('too large or too deep is refused before it costs anything', (t) => {
  const large = fileOf('')
  truncateSync(large, 100 << 20)
  const before = process.memoryUsage().rss
  t.throws(() => readJson(large), { message: /larger than 16 MiB/, code: 'INVALID_ARGUMENT' })
  t.true(process.memoryUsage().rss - before < 50 << 20)
  for (const text of ['['.repeat(5e6), '{"a":'.repeat(1e6), `${'['.repeat(501)}${']'.repeat(501)}`])
    t.throws(() => readJson(fileOf(text)), { message: /deeper than 500 levels/ })
  t.notThrows(() => readJson(fileOf(`${'['.repeat(500)}${']'.repeat(500)}`)))
})
