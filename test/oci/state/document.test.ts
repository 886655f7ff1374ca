import test from 'ava'
import fc from 'fast-check'
import { rfc3339Nano, stateDocument, stateTemplate, stateText } from '../../../src/oci/state/document.ts'

test('the state in the specification’s words', (t) => {
  const state = {
    ociVersion: '1.2.0',
    id: 'a',
    status: 'stopped',
    pid: 12,
    bundle: '/b',
    annotations: {},
    createdAtNs: 1_700_000_000_123_450_000n,
  } as const
  t.deepEqual(stateDocument(state), {
    ociVersion: '1.2.0',
    id: 'a',
    pid: 0,
    status: 'stopped',
    bundle: '/b',
    created: '2023-11-14T22:13:20.12345Z',
    owner: 'root',
  })
  t.is(rfc3339Nano(0n), '1970-01-01T00:00:00Z')
})

test('the text is JSON.stringify’s, whatever the annotations hold; only pid and status are cut out', (t) => {
  const text = fc.string({ unit: 'binary' })
  const states = fc.record({
    ociVersion: text,
    id: text,
    status: fc.constantFrom('created', 'running', 'stopped'),
    pid: fc.nat(),
    bundle: text,
    annotations: fc.dictionary(text, text),
    createdAtNs: fc.bigInt({ min: 0n, max: 1n << 62n }),
  })
  fc.assert(
    fc.property(states, (state) => {
      const document = stateDocument(state)
      t.is(stateText(document), JSON.stringify({ ...document, owner: '' }, undefined, 2))
      const holes = stateTemplate(document).filter((piece) => typeof piece !== 'string')
      t.deepEqual(holes, [{ hole: 'pid' }, { hole: 'status' }])
    }),
  )
})
