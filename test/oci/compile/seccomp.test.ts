import test from 'ava'
import { compileFilter } from '../../../src/oci/compile/seccomp.ts'
import { Slots } from '../../../src/oci/plan/slots.ts'
import { containerFilter } from '../../../src/oci/seccomp/index.ts'
import { plainHost } from '../../support/host-facts.ts'

const state = {
  ociVersion: '1.2.0',
  id: 'one',
  status: 'created',
  bundle: '/b',
  annotations: { note: 'pid "\0" \\u0000' },
} as const
const plan = (action: string) => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: '/agent.sock',
    listenerMetadata: 'm',
    syscalls: [{ names: ['mkdir'], action }],
  }
  return compileFilter(
    containerFilter({ linux: { seccomp }, bundle: '/b', host: plainHost }),
    state,
    new Slots(),
  )
}

test('without a filter nothing, without a listener only the loading', (t) => {
  t.deepEqual(compileFilter(undefined, state, new Slots()), {
    connect: [],
    tell: [],
    learn: [],
    later: [],
    load: [],
  })
  const { load, ...rest } = plan('SCMP_ACT_LOG')
  t.deepEqual(
    load.map(({ op }) => op),
    ['loadSeccomp'],
  )
  t.deepEqual(rest, { connect: [], tell: [], learn: [], later: [] })
})

test('the message is the container process state around the pid, whatever its texts contain', (t) => {
  const { connect, load } = plan('SCMP_ACT_NOTIFY')
  const [operation] = load
  if (operation?.op !== 'loadSeccompListener') return t.fail()
  t.deepEqual(connect, [{ op: 'connect', path: '/agent.sock', to: operation.agent }])
  t.is(operation.message.length, 3)
  t.false(operation.message.some((piece) => piece.includes('\0')))
  t.deepEqual(JSON.parse(operation.message.join('77')), {
    ociVersion: '1.2.0',
    fds: ['seccompFd'],
    pid: 77,
    metadata: 'm',
    state: { ...state, pid: 77 },
  })
})
