import test from 'ava'
import fc from 'fast-check'
import { containerArchive, decodePodDump, encodePodDump } from '../../../src/pod/checkpoint/pod-dump.ts'
import type { ContainerRecord, SandboxRecord } from '../../../src/pod/records.ts'
import { containerConfig, podConfig } from '../../support/pod-requests.ts'

test('a pod comes back as it was', (t) => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.array(fc.string({ minLength: 1 }), { maxLength: 5 }),
      (name, names) => {
        const sandbox = { config: podConfig(name), runtimeHandler: 'keelson' } as SandboxRecord
        const records = names.map((one) => ({ config: containerConfig(one) }) as ContainerRecord)
        const dump = decodePodDump(encodePodDump(sandbox, records, 5))
        t.deepEqual(dump.sandbox, sandbox.config)
        t.is(dump.runtimeHandler, 'keelson')
        t.deepEqual(
          dump.containers,
          records.map(({ config }, index) => ({ config, archive: containerArchive(index) })),
        )
      },
    ),
  )
})

test('an archive is only named where it belongs; nonsense is the archive’s fault', (t) => {
  const text = (more: object) =>
    JSON.stringify({ version: 1, runtimeHandler: '', sandbox: '', containers: [], ...more })
  t.notThrows(() => decodePodDump(text({})))
  for (const archive of [
    '../a.tar',
    '/etc/passwd',
    'containers/../0.tar',
    'containers/0.tar/..',
    7,
    undefined,
  ])
    t.throws(() => decodePodDump(text({ containers: [{ archive, config: '' }] })), {
      message: /names no archive/,
    })
  for (const nonsense of ['', '[]', 'null', '7', '{', text({ sandbox: '////' }), text({ containers: {} })])
    t.throws(() => decodePodDump(nonsense), { code: 'INVALID_ARGUMENT' })
})
