import test from 'ava'
import { activationOf, requireInherited } from '../../../src/cli/oci/activation.ts'

const none = { count: 0, environment: [] }

test('sockets that were meant for this process are handed on, as the first process’s', (t) => {
  t.deepEqual(activationOf({ LISTEN_FDS: '2', LISTEN_PID: '7' }, 7), {
    count: 2,
    environment: ['LISTEN_FDS=2', 'LISTEN_PID=1'],
  })
  t.deepEqual(activationOf({ LISTEN_FDS: '1', LISTEN_PID: '7', LISTEN_FDNAMES: 'web' }, 7).environment, [
    'LISTEN_FDS=1',
    'LISTEN_PID=1',
    'LISTEN_FDNAMES=web',
  ])
})

test('those of another process, none at all, and what is no number are left alone', (t) => {
  t.deepEqual(activationOf({}, 7), none)
  t.deepEqual(activationOf({ LISTEN_FDS: '2' }, 7), none)
  t.deepEqual(activationOf({ LISTEN_FDS: '2', LISTEN_PID: '8' }, 7), none)
  for (const count of ['0', '-1', '1e3', '01', '99999', '2 ', ''])
    t.deepEqual(activationOf({ LISTEN_FDS: count, LISTEN_PID: '7' }, 7), none, count)
})

test('no more descriptors are handed through than the caller has opened', (t) => {
  const env = { KEELSON_OCI_CALLER: '2:1024' }
  t.notThrows(() => requireInherited(2, env))
  t.throws(() => requireInherited(3, env), { message: 'please check that preserved-fd 3 (of 3) is present' })
  t.notThrows(() => requireInherited(3, {}), 'nobody knows')
})
