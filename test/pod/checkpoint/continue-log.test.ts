import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { continueLog } from '../../../src/pod/checkpoint/continue-log.ts'

test('a log begins with the old one, unless there is something at its path', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'keelson-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  await t.notThrowsAsync(continueLog(path, join(path, 'none.log')), 'an archive without a log')
  writeFileSync(join(path, 'container.log'), 'old')
  await continueLog(path, join(path, 'new.log'))
  t.is(readFileSync(join(path, 'new.log'), 'utf8'), 'old')
  writeFileSync(join(path, 'there.log'), 'mine')
  symlinkSync('there.log', join(path, 'link.log'))
  for (const name of ['there.log', 'link.log']) await continueLog(path, join(path, name))
  t.is(readFileSync(join(path, 'there.log'), 'utf8'), 'mine')
  t.deepEqual(readdirSync(path).toSorted(), ['container.log', 'link.log', 'new.log', 'there.log'])
})
