import test from 'ava'
import { callerOf } from '../../../src/cli/oci/caller.ts'

test('what the front tells of the caller: descriptors and the soft limit of them', (t) => {
  t.deepEqual(callerOf({ KEELSON_OCI_CALLER: '2:1024' }), { descriptors: 2, nofileSoft: 1024 })
  t.deepEqual(callerOf({ KEELSON_OCI_CALLER: '0:0' }), { descriptors: 0, nofileSoft: 0 })
})

test('without the front, or with something else of that name, nothing is known', (t) => {
  for (const told of [undefined, '', '2', '2:', ':1024', '-1:5', '2:1024:3', 'a:b', ' 2:3'])
    t.is(callerOf({ KEELSON_OCI_CALLER: told }), undefined, String(told))
})
