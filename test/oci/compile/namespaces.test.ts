import test from 'ava'
import { compileCreate } from '../../../src/oci/compile/create.ts'
import { compileExec } from '../../../src/oci/compile/exec.ts'
import type { NamespaceType, Spec } from '../../../src/oci/index.ts'
import type { Plan } from '../../../src/oci/plan/index.ts'
import type { Operation } from '../../../src/oci/plan/operations.ts'
import { compileRequest, execRequest, ordinaryUser } from '../../support/compile-request.ts'
import { plainSpec } from '../../support/container.ts'

const names = (list: readonly { op: string }[]) => list.map(({ op }) => op)
const only = <Name extends Operation['op']>(list: readonly Operation[], op: Name) =>
  list.filter((one): one is Extract<Operation, { op: Name }> => one.op === op)

const directory = { kind: 'directory', path: '/r' } as const
const map = [{ containerID: 0, hostID: 100000, size: 65536 }]

function withNamespaces(types: string[], change: (spec: Spec) => void = () => {}): Spec {
  return plainSpec(['true'], (spec) => {
    spec.linux.namespaces = types.map((type) => ({ type }))
    change(spec)
  })
}

function withUser(change: (spec: Spec) => void = () => {}): Spec {
  return withNamespaces(['user', 'pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'], (spec) => {
    Object.assign(spec.linux ?? {}, { uidMappings: map, gidMappings: map })
    change(spec)
  })
}

function ordered(list: readonly { op: string }[], ...wanted: string[]): boolean {
  const at = wanted.map((op) => names(list).indexOf(op))
  return at.every((index, i) => index >= 0 && (i === 0 || index > (at[i - 1] ?? -1)))
}

function planOf(spec: Spec, more: Parameters<typeof compileRequest>[1] = {}): Plan {
  return compileCreate(compileRequest(spec, more)).plan
}

test('the child waits for its maps before it does anything, and the process is on record before they are written', (t) => {
  const { parent, child } = planOf(withUser())
  t.deepEqual(names(child).slice(0, 2), ['await', 'takeIdentity'])
  t.true(ordered(parent, 'clone', 'recordProcess', 'mapIdentities', 'signal', 'await'))
  t.is(only(parent, 'clone')[0]?.flags, 0x10000000n | 0x20000000n | 0x8000000n | 0x4000000n | 0x20000n)
})

test('root opens what the container’s user might not reach; the child only attaches it', (t) => {
  const spec = withUser(({ mounts }) => {
    mounts?.push({ destination: '/data', type: 'bind', source: '/secret/data', options: ['rbind', 'ro'] })
  })
  const rootfs = { kind: 'directory', path: '/secret/rootfs' } as const
  const { parent, child } = planOf(spec, { rootfs })
  t.deepEqual(
    only(parent, 'openTree')
      .map(({ source }) => source)
      .sort(),
    ['/secret/data', '/secret/rootfs'],
  )
  t.deepEqual(
    only(child, 'mountTree').map(({ target }) => target),
    ['/data'],
  )
  t.deepEqual(only(child, 'mountBind'), [])
  t.true(only(parent, 'openTree').every(({ propagation }) => propagation === ((1 << 19) | 16384)))
  t.true(ordered(parent, 'openTree', 'standIn', 'clone'))
  t.is(only(child, 'attachRoot')[0]?.place, '')
})

test('nobody makes devices in a user namespace, only pipes', (t) => {
  const spec = withUser(({ linux }) => {
    if (linux)
      linux.devices = [
        { path: '/dev/p', type: 'p' },
        { path: '/dev/net/tun', type: 'c', major: 10, minor: 200 },
      ]
  })
  const { child } = planOf(spec)
  t.deepEqual(
    only(child, 'makeNode').map(({ path }) => path),
    ['/dev/p'],
  )
  t.true(
    only(child, 'bindNode').some(
      ({ path, major, minor }) => path === '/dev/net/tun' && major === 10 && minor === 200,
    ),
  )
})

test('the files of cgroup v1 are opened by keelson-init, which closes them after the clone', (t) => {
  const { parent, child } = planOf(withUser())
  const [join] = only(child, 'joinCgroup')
  t.true(only(parent, 'openPath').some(({ to }) => to === join?.tasks))
  t.true(only(parent, 'closeSlot').some(({ slot }) => slot === join?.tasks))
})

test('an overlay gets the container’s map on its layers, named below what holds upper and work', (t) => {
  const rootfs = { kind: 'overlay', lower: ['/l'], upper: '/s/1/fs/up', work: '/s/1/work' } as const
  const { parent } = planOf(withUser(), { rootfs })
  t.like(only(parent, 'overlayTree')[0], { base: '/s/1', upper: 'fs/up', work: 'work', lower: ['/l'] })
  t.is(only(parent, 'makeUserNamespace').length, 1)
})

test('a limit that the container could not raise is raised before, and its score is set from outside', (t) => {
  const spec = withUser(({ process }) => {
    if (process)
      Object.assign(process, { oomScoreAdj: -5, rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 2 }] })
  })
  const { parent } = planOf(spec)
  t.true(only(parent, 'raiseLimit').some(({ hard }) => hard === 2n))
  t.is(only(parent, 'adjustChild')[0]?.score, -5 >>> 0)
})

test('joined namespaces: without a user namespace the child enters them, the pid namespace its parent, mount last', (t) => {
  const spec = withNamespaces(['mount', 'network', 'pid', 'uts'])
  const { parent, child } = planOf(spec, { namespaceFds: { mount: 30, network: 31, pid: 32 } })
  t.deepEqual(
    only(parent, 'joinNamespace').map(({ type }) => type),
    [0x20000000n],
  )
  t.deepEqual(
    only(child, 'joinNamespace').map(({ type }) => type),
    [0x40000000n, 0x20000n],
  )
  t.is(names(child)[0], 'undumpable')
})

test('nobody may trace the child from when it begins to mount, whatever pid namespace it is in', (t) => {
  for (const types of [
    ['mount', 'uts'],
    ['mount', 'uts', 'pid'],
  ]) {
    const { child } = planOf(withNamespaces(types))
    const at = names(child).indexOf('undumpable')
    t.true(at >= 0 && at < names(child).indexOf('attachRoot'), types.join())
  }
})

test('a joined mount namespace has its root already: nothing is mounted, hidden or pivoted', (t) => {
  const { child } = planOf(withNamespaces(['mount', 'uts']), { namespaceFds: { mount: 30 } })
  t.true(names(child).includes('rootTree'))
  for (const op of ['attachRoot', 'mountFilesystem', 'maskPath', 'pivotRoot', 'makeNode'])
    t.false(names(child).includes(op), op)
})

test('with a user namespace, new or joined, what is joined goes through a process in between', (t) => {
  const joined = planOf(withUser(), { namespaceFds: { network: 31 } })
  t.is(
    only(joined.parent, 'cloneThrough')[0]?.flags,
    0x10000000n | 0x20000000n | 0x8000000n | 0x4000000n | 0x20000n,
  )
  const into = planOf(withNamespaces(['user', 'mount', 'uts']), {
    namespaceFds: { user: 40 },
    rootfs: directory,
  })
  t.is(only(into.parent, 'cloneThrough')[0]?.flags, 0x4000000n | 0x20000n)
  t.deepEqual(only(into.parent, 'mapIdentities'), [])
  t.deepEqual(only(into.child, 'takeIdentity'), [{ op: 'takeIdentity', uid: 0, gid: 0 }])
})

test('a time namespace: offsets before anybody is in it, and keelson-init back in its own', (t) => {
  const spec = withNamespaces(['time', 'mount', 'uts'], ({ linux }) => {
    if (linux) linux.timeOffsets = { monotonic: { secs: 100 }, boottime: { secs: -3, nanosecs: 7 } }
  })
  const { parent } = planOf(spec)
  t.true(ordered(parent, 'unshare', 'clone', 'joinNamespace'))
  const [offsets] = only(parent, 'writeFile').filter(({ path }) => path.includes('timens'))
  t.is(Buffer.from(offsets?.data ?? []).toString(), 'monotonic 100 0\nboottime -3 7\n')
})

test('an ordinary user: one’s own id, setgroups denied, everything else done by the child', (t) => {
  const own = [{ containerID: 0, hostID: 1001, size: 1 }]
  const spec = withNamespaces(['user', 'mount', 'pid', 'time'], (one) => {
    Object.assign(one.linux ?? {}, { uidMappings: own, gidMappings: own })
    delete one.hostname
  })
  const { parent, child } = planOf(spec, {
    privileges: ordinaryUser,
    rootfs: { kind: 'directory', path: '/r' },
  })
  t.is(only(parent, 'mapIdentities')[0]?.flags, 1)
  t.deepEqual(only(parent, 'openTree'), [])
  t.true(ordered(child, 'takeIdentity', 'unshare', 'rootDirectory'))
})

test('without a network namespace /sys is the host’s, bound, and nothing below it can be written', (t) => {
  const spec = withUser(({ linux }) => {
    if (linux) linux.namespaces = (linux.namespaces ?? []).filter(({ type }) => type !== 'network')
  })
  const { parent, child } = planOf(spec)
  const [sys] = only(parent, 'openTree').filter(({ source }) => source === '/sys')
  t.is(sys?.flags, 1)
  const [placed] = only(child, 'mountTree').filter(({ tree }) => tree === sys?.to)
  t.is((placed?.recursiveSet ?? 0n) & 1n, 1n)
})

test('exec enters what the container has; with a user namespace nothing of the host’s', (t) => {
  const enter = (namespaces: NamespaceType[]) =>
    only(compileExec(execRequest({ namespaces })).plan.parent, 'enterProcess')[0]?.namespaces
  t.is(enter(['user', 'mount', 'time']), 0x10000000n | 0x20000n | 0x80n)
  t.is(enter(['mount']), 0x20000n | 0x20000000n | 0x40000000n | 0x8000000n | 0x4000000n)
})
