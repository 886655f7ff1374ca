import { readFileSync } from 'node:fs'
import test from 'ava'
import { ImageServiceDefinition, RuntimeServiceDefinition } from '../../cri/types.ts'
import { unimplemented } from '../../src/pod/unimplemented.ts'

const page = readFileSync(new URL('../../docs/reference/cri.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => /^\| [A-Z]/.test(line) && !line.startsWith('| RPC'))

test('the reference page names every RPC once and tells which are not there', (t) => {
  const named = rows.flatMap((row) => (row.split('|')[1] ?? '').split(',').map((name) => name.trim()))
  const methods = [RuntimeServiceDefinition, ImageServiceDefinition].flatMap(({ methods }) =>
    Object.values(methods).map(({ name }) => name),
  )
  t.deepEqual(named.toSorted(), methods.toSorted())
  const missing = rows
    .filter((row) => row.includes('not yet'))
    .flatMap((row) => (row.split('|')[1] ?? '').split(','))
  const keys = Object.keys(unimplemented).map((key) => key.charAt(0).toUpperCase() + key.slice(1))
  t.deepEqual(missing.map((name) => name.trim()).toSorted(), keys.toSorted())
})
