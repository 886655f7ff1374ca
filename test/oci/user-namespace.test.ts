import test from 'ava'
import type { Privileges } from '../../src/oci/privileges.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { completeUserNamespace, howToMap } from '../../src/oci/user-namespace.ts'
import { plainSpec } from '../support/container.ts'

const root: Privileges = { uid: 0, gid: 0, isRoot: true, subordinateUids: [], subordinateGids: [] }
const plainUser: Privileges = { ...root, uid: 1001, gid: 1002, isRoot: false }
const mappedUser: Privileges = {
  ...plainUser,
  subordinateUids: [
    { start: 200000, count: 1000 },
    { start: 500000, count: 10 },
  ],
  subordinateGids: [{ start: 300000, count: 65536 }],
  mapPrograms: { uids: '/usr/bin/newuidmap', gids: '/usr/bin/newgidmap' },
}

function withUser(change: (spec: Spec) => void = () => {}): Spec {
  return plainSpec(['true'], (spec) => {
    spec.linux.namespaces = [...(spec.linux.namespaces ?? []), { type: 'user' }]
    change(spec)
  })
}

test('root without a user namespace is left alone', (t) => {
  const spec = plainSpec(['true'])
  t.is(completeUserNamespace(spec, root, false), spec)
})

test('root has to say what is mapped; joining needs no map', (t) => {
  t.like(
    t.throws(() => completeUserNamespace(withUser(), root, false)),
    { code: 'INVALID_ARGUMENT', path: 'linux.uidMappings' },
  )
  t.is(completeUserNamespace(withUser(), root, true).linux?.uidMappings, undefined)
})

test('an ordinary user gets a user namespace and, with newuidmap, its ranges one after the other', (t) => {
  const { linux } = completeUserNamespace(plainSpec(['true']), mappedUser, false)
  t.true(linux?.namespaces?.some(({ type }) => type === 'user'))
  t.deepEqual(linux?.uidMappings, [
    { containerID: 0, hostID: 1001, size: 1 },
    { containerID: 1, hostID: 200000, size: 1000 },
    { containerID: 1001, hostID: 500000, size: 10 },
  ])
  t.deepEqual(linux?.gidMappings?.[1], { containerID: 1, hostID: 300000, size: 65536 })
})

test('without newuidmap the one id is the program’s, and nothing else can be asked for', (t) => {
  const asUser = withUser(({ process }) => {
    if (process) process.user = { uid: 33, gid: 34 }
  })
  const { linux } = completeUserNamespace(asUser, plainUser, false)
  t.deepEqual(linux?.uidMappings, [{ containerID: 33, hostID: 1001, size: 1 }])
  t.deepEqual(linux?.gidMappings, [{ containerID: 34, hostID: 1002, size: 1 }])
  const grouped = withUser(({ process }) => {
    if (process) process.user = { uid: 0, gid: 0, additionalGids: [5] }
  })
  t.like(
    t.throws(() => completeUserNamespace(grouped, plainUser, false)),
    { code: 'INVALID_ARGUMENT', path: 'process.user.additionalGids' },
  )
})

test('a program’s user that nothing maps is refused by its path', (t) => {
  const mapping = [{ containerID: 0, hostID: 100000, size: 10 }]
  const spec = withUser(({ process, linux }) => {
    if (linux) Object.assign(linux, { uidMappings: mapping, gidMappings: mapping })
    if (process) process.user = { uid: 5, gid: 10 }
  })
  t.like(
    t.throws(() => completeUserNamespace(spec, root, false)),
    { code: 'INVALID_ARGUMENT', path: 'process.user.gid' },
  )
})

test('who writes the maps', (t) => {
  const own = (hostID: number, size = 1) => [{ containerID: 0, hostID, size }]
  t.is(howToMap({ uidMappings: own(7, 9), gidMappings: own(7, 9) }, root), 'direct')
  t.is(howToMap({ uidMappings: own(1001), gidMappings: own(1002) }, plainUser), 'single')
  t.is(howToMap({ uidMappings: own(1001), gidMappings: own(5) }, mappedUser), 'programs')
  t.like(
    t.throws(() => howToMap({ uidMappings: own(1001, 2), gidMappings: own(1002) }, plainUser)),
    { code: 'FAILED_PRECONDITION', path: 'linux.uidMappings' },
  )
})
