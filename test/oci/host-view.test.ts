import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { thisHost } from '../../src/oci/host-view.ts'
import { rootTest } from '../support/root.ts'
import { scratchDirectory } from '../support/scratch-directory.ts'

test('the device of a path, as mountinfo writes it, and of one that leads nowhere', (t) => {
  const { stdout } = spawnSync('stat', ['--format', '%Hd:%Ld', '/proc'], { encoding: 'utf8' })
  t.is(thisHost.deviceAt('/proc'), stdout.trim())
  t.is(thisHost.deviceAt('/no/such/path'), undefined)
})

rootTest('what this user may not look at has no device, and does not fail', async (t) => {
  const closed = join(await scratchDirectory(t), 'closed')
  mkdirSync(join(closed, 'inner'), { recursive: true, mode: 0o700 })
  t.true(statSync(closed).isDirectory())
  const before = process.geteuid?.() ?? 0
  process.seteuid?.(65_534)
  try {
    t.is(thisHost.deviceAt(join(closed, 'inner')), undefined)
  } finally {
    process.seteuid?.(before)
  }
})
