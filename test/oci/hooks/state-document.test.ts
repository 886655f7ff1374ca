import test from 'ava'
import { type HookInput, stateDocument } from '../../../src/oci/hooks/state-document.ts'
import { noHole } from '../../../src/oci/plan/operations.ts'

const subject = { id: 'web', bundle: '/b ü"', spec: { ociVersion: '1.2.0' } }

/** As keelson-init fills it (native/init/hooks.c). */
function filled({ input, hole }: HookInput, pid: number): unknown {
  const bytes = Buffer.from(input)
  const text =
    hole === noHole
      ? bytes
      : Buffer.concat([bytes.subarray(0, hole), Buffer.from(String(pid)), bytes.subarray(hole)])
  return JSON.parse(text.toString('utf8'))
}

test('the state with its pid in place, whatever bytes are around it', (t) => {
  const annotations = { 'ä"\n': '"pid":' }
  t.deepEqual(
    filled(stateDocument({ ...subject, spec: { ...subject.spec, annotations } }, 'creating'), 4711),
    {
      ociVersion: '1.2.0',
      id: 'web',
      status: 'creating',
      pid: 4711,
      bundle: '/b ü"',
      annotations,
    },
  )
  t.deepEqual(Object.keys(filled(stateDocument(subject, 'running'), 1) as object).sort(), [
    'bundle',
    'id',
    'ociVersion',
    'pid',
    'status',
  ])
})

test('a stopped container has no pid', (t) => {
  const document = stateDocument(subject, 'stopped')
  t.is(document.hole, noHole)
  t.deepEqual(filled(document, 4711), { ociVersion: '1.2.0', id: 'web', status: 'stopped', bundle: '/b ü"' })
})
