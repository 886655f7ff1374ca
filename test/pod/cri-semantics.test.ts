/** docs/reference/cri-semantics.md against the tests that it names. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const rows = read('docs/reference/cri-semantics.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| behaviour') && !line.startsWith('| ---'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')) as [string, string])

test('each behaviour names its tests, and each of them exists', (t) => {
  t.true(rows.length > 20)
  const conformance = read('docs/reference/critest.md')
  for (const [behaviour, tests] of rows) {
    const named = [...tests.matchAll(/(?:`(test\/[^`]+)`|critest) "([^"]+)"/g)]
    t.true(named.length > 0, behaviour)
    for (const [, path, title = ''] of named)
      if (path === undefined) t.true(conformance.includes(title), `${behaviour}: no spec ${title}`)
      else
        t.true(existsSync(join(root, path)) && hasTitle(read(path), title), `${behaviour}: ${path} ${title}`)
  }
})

/** As it is written: in either kind of quotes. */
function hasTitle(source: string, title: string): boolean {
  return source.includes(`'${title}'`) || source.includes(`"${title}"`)
}
