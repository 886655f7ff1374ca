import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { hasCode } from '../../../src/base/index.ts'
import { defaultSeccompProfile } from '../../../src/oci/seccomp/index.ts'
import {
  type DecidedRecord,
  encodeConfig,
  encodeRecord,
  markCreated,
  markPaused,
  markStarted,
  readRecord,
  recordFiles,
  recordVersion,
} from '../../../src/oci/state/record.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const decided: DecidedRecord = {
  version: recordVersion,
  id: 'one',
  ociVersion: '1.2.0',
  life: 'detached',
  bundle: '/bundle',
  annotations: {},
  createdAtNs: '1',
  bootId: 'boot',
  namespaces: { pid: true, cgroup: true },
}

test('the status follows from the files that are there', async (t) => {
  await using folder = await temporaryDirectory()
  const directory = folder.path
  const status = () => readRecord(directory)?.status
  t.is(status(), undefined)
  writeFileSync(join(directory, recordFiles.state), encodeRecord(decided))
  t.is(status(), 'creating')
  writeFileSync(join(directory, recordFiles.pid), '12 3456\n')
  t.is(status(), 'creating')
  markCreated(directory)
  t.is(status(), 'created')
  markStarted(directory, 42n)
  t.is(status(), 'running')
  markPaused(directory, true)
  t.is(status(), 'paused')
  markPaused(directory, false)
  markPaused(directory, false)
  t.deepEqual(readRecord(directory), {
    ...decided,
    status: 'running',
    startedAtNs: '42',
    process: { pid: 12, startTicks: '3456' },
  })
})

test('a record of another version is refused, and none is there without its directory', async (t) => {
  await using folder = await temporaryDirectory()
  const directory = join(folder.path, 'one')
  t.is(readRecord(directory), undefined)
  mkdirSync(directory)
  writeFileSync(join(directory, recordFiles.state), '{"version":1}')
  t.true(
    hasCode(
      t.throws(() => readRecord(directory)),
      'DATA_LOSS',
    ),
  )
  rmSync(directory, { recursive: true })
})

test('a configuration with a known profile is written like any other', (t) => {
  const seccomp = defaultSeccompProfile({ capabilities: [] })
  const spec = {
    ociVersion: '1.2.0',
    annotations: { one: '$& "two"' },
    linux: { seccomp, cgroupsPath: '/x' },
  }
  t.is(encodeConfig(spec), JSON.stringify(spec))
  t.is(encodeConfig(spec), JSON.stringify(spec), 'from memory')
  const mean = { ...spec, annotations: { one: '\0seccomp' } }
  t.is(encodeConfig(mean), JSON.stringify(mean))
})
