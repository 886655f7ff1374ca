import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { findCriu } from '../../../src/oci/criu/find-criu.ts'

test('the first program of the path; else the answer says where it was looked for', (t) => {
  const path = mkdtempSync(join(tmpdir(), 'keelson-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  const folders = ['a', 'b', 'c'].map((name) => join(path, name))
  for (const folder of folders) mkdirSync(folder)
  const [a = '', b = '', c = ''] = folders
  const where = ['relative', '', ...folders].join(':')
  t.throws(() => findCriu('criu', where), {
    code: 'UNIMPLEMENTED',
    message: `checkpoints need the program criu, which is not installed (looked in ${a}, ${b}, ${c})`,
  })
  mkdirSync(join(a, 'criu'))
  writeFileSync(join(b, 'criu'), '', { mode: 0o644 })
  writeFileSync(join(c, 'criu'), '', { mode: 0o755 })
  if (process.getuid?.() !== 0) chmodSync(join(b, 'criu'), 0o600)
  t.is(findCriu('criu', where), join(c, 'criu'))
  t.is(findCriu(join(c, 'criu'), ''), join(c, 'criu'))
})
