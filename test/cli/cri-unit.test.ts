import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { unitFile } from '../../src/cli/cri-unit.ts'
import { skipWithout } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const run = promisify(execFile)
const launcher = process.execPath // any program that is there: it is looked for, not started

test('containers are not the service: they neither die nor count with it', (t) => {
  const unit = unitFile('/usr/bin/keelson', '/etc/keelson/cri.yaml')
  t.regex(unit, /^ExecStart=\/usr\/bin\/keelson cri --config \/etc\/keelson\/cri.yaml$/m)
  for (const line of ['Type=notify', 'KillMode=process', 'Delegate=yes', 'TasksMax=infinity'])
    t.true(unit.split('\n').includes(line), line)
  t.regex(unitFile('/usr/bin/keelson', undefined), /^ExecStart=\/usr\/bin\/keelson cri$/m)
})

test('a path that a unit could not hold is refused', (t) => {
  for (const path of ['cri.yaml', '/etc/a b', '/etc/x\nExecStart=/bin/sh'])
    t.throws(() => unitFile('/usr/bin/keelson', path), { code: 'INVALID_ARGUMENT' })
})

const hasSystemd = existsSync('/usr/bin/systemd-analyze')

skipWithout('systemd-analyze', hasSystemd)('systemd takes the unit as it is', async (t) => {
  await using folder = await temporaryDirectory()
  const path = join(folder.path, 'keelson-cri.service')
  await writeFile(path, unitFile(launcher, undefined))
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', path])
  t.deepEqual(
    stderr.split('\n').filter((line) => line.includes('keelson-cri.service')),
    [],
  )
})
