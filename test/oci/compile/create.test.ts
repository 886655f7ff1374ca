import test from 'ava'
import { hasCode } from '../../../src/base/index.ts'
import { compileCreate } from '../../../src/oci/compile/create.ts'
import type { Spec } from '../../../src/oci/index.ts'
import { CLONE } from '../../../src/oci/plan/constants.ts'
import { barriers, noFd, type Operation } from '../../../src/oci/plan/operations.ts'
import { compileRequest as request } from '../../support/compile-request.ts'
import { plainSpec } from '../../support/container.ts'

const names = (list: readonly { op: string }[]) => list.map(({ op }) => op)

test('compiling has no effects: the same request gives the same plan', (t) => {
  t.deepEqual(compileCreate(request(plainSpec(['true']))), compileCreate(request(plainSpec(['true']))))
})

test('the record is on disk before the first cgroup is made', (t) => {
  const { parent } = compileCreate(request(plainSpec(['true']))).plan
  t.true(names(parent).indexOf('replaceFile') < names(parent).indexOf('makeGroup'))
})

test('the cgroup namespace is unshared only after the cgroup was joined', (t) => {
  const { child } = compileCreate(request(plainSpec(['true']))).plan
  const unshared = child.findIndex((one) => one.op === 'unshare' && one.flags === CLONE.NEWCGROUP)
  t.true(unshared > names(child).lastIndexOf('joinCgroup'))
})

test('a network namespace of its own has its loopback up, one that is joined is left alone', (t) => {
  const { child } = compileCreate(request(plainSpec(['true']))).plan
  const made = child.findIndex((one) => one.op === 'unshare' && one.flags === CLONE.NEWNET)
  t.true(made >= 0)
  t.is(names(child).indexOf('raiseLoopback'), made + 1)
  const joined = compileCreate(request(plainSpec(['true']), { namespaceFds: { network: 7 } })).plan.child
  t.false(names(joined).includes('raiseLoopback'))
})

test('limits are there before anybody joins, also where they are made after the clone', (t) => {
  const { parent, child } = compileCreate(request(plainSpec(['true']))).plan
  const limited = (list: readonly Operation[], op: string) =>
    list.findIndex((one) => one.op === op && 'barrier' in one && one.barrier === barriers.limited)
  t.true(names(parent).indexOf('clone') < names(parent).indexOf('makeGroup'))
  const lastLimit = parent.findLastIndex(
    (one) => one.op === 'writeFile' && one.path.startsWith('/sys/fs/cgroup'),
  )
  t.true(lastLimit < limited(parent, 'signal'))
  t.true(limited(child, 'await') < names(child).indexOf('joinCgroup'))
})

test('a container that only holds namespaces has no program, no devices, nothing open', (t) => {
  const { child } = compileCreate(request(plainSpec(['true']), { holds: true })).plan
  t.is(names(child).at(-1), 'hold')
  for (const absent of ['execute', 'findProgram', 'findHome', 'makeNode', 'makeLink'])
    t.false(names(child).includes(absent))
  const users = plainSpec(['true'], ({ linux }) => {
    linux.namespaces = [...(linux.namespaces ?? []), { type: 'user' }]
    linux.uidMappings = linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 10 }]
  })
  if (users.process) users.process.oomScoreAdj = -10
  const held = compileCreate(request(users, { holds: true })).plan
  t.true(names(held.parent).includes('adjustChild'))
  t.false(names(held.child).includes('adjustOomScore'))
})

test('settings are written before anything covers /proc, and the filter is last with no_new_privs', (t) => {
  const spec = plainSpec(['true'], ({ linux }) => {
    linux.sysctl = { 'net.ipv4.ip_forward': '1' }
    linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
  })
  const order = names(compileCreate(request(spec)).plan.child)
  t.true(order.indexOf('writeSysctl') < order.indexOf('readonlyPath'))
  t.deepEqual(order.slice(-3), ['awaitStart', 'loadSeccomp', 'execute'])
})

test('without no_new_privs the filter comes before the change of identity', (t) => {
  const spec = plainSpec(['true'], ({ linux, process }) => {
    process.noNewPrivileges = false
    linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
  })
  const order = names(compileCreate(request(spec)).plan.child)
  t.deepEqual(order.slice(-5), ['awaitStart', 'loadSeccomp', 'setIdentity', 'setCapabilities', 'execute'])
})

test('handed-in namespaces are joined by the child and not cloned', (t) => {
  const { plan, inherited } = compileCreate(request(plainSpec(['true']), { namespaceFds: { network: 33 } }))
  t.deepEqual(inherited, [20, 21, 33])
  t.deepEqual(plan.child[0], { op: 'joinNamespace', namespace: 2, type: 0x40000000n })
  const clone = plan.parent.find(({ op }) => op === 'clone')
  t.is(clone?.op === 'clone' && clone.flags & 0x40000000n, 0n)
})

test('what cannot be done is refused with its JSON path', (t) => {
  const spec = plainSpec(['true'], ({ linux }) => {
    linux.namespaces = linux.namespaces?.filter(({ type }) => type !== 'mount') ?? []
  })
  const error = t.throws(() => compileCreate(request(spec)))
  t.true(hasCode(error, 'UNIMPLEMENTED'))
  t.is((error as { path?: string }).path, 'linux.namespaces')
})

test('what this host has not is refused with its JSON path, before anything is made', (t) => {
  const cases: [string, (spec: Spec) => void][] = [
    ['process.apparmorProfile', ({ process }) => Object.assign(process ?? {}, { apparmorProfile: 'strict' })],
    ['process.selinuxLabel', ({ process }) => Object.assign(process ?? {}, { selinuxLabel: 'a:b:c' })],
    ['linux.mountLabel', (spec) => Object.assign(spec.linux ?? {}, { mountLabel: 'a:b:c' })],
  ]
  for (const [path, change] of cases) {
    const spec = plainSpec(['true'])
    change(spec)
    const error = t.throws(() => compileCreate(request(spec)))
    t.true(hasCode(error, 'FAILED_PRECONDITION'))
    t.is((error as { path?: string }).path, path)
  }
})

test('network devices move after the child has its namespace and before it sets anything of its network', (t) => {
  const spec = plainSpec(['true'], ({ linux }) => {
    linux.netDevices = { eth7: { name: 'inside' }, eth8: {} }
    linux.sysctl = { 'net.ipv4.ip_forward': '1' }
  })
  const { parent, child } = compileCreate(request(spec)).plan
  const at = (list: typeof parent, op: string, barrier: number) =>
    list.findIndex((one) => one.op === op && 'barrier' in one && one.barrier === barrier)
  t.deepEqual(
    parent.filter(({ op }) => op === 'moveDevice'),
    [
      { op: 'moveDevice', namespace: noFd, name: 'eth7', newName: 'inside' },
      { op: 'moveDevice', namespace: noFd, name: 'eth8', newName: '' },
    ],
  )
  t.true(at(parent, 'await', barriers.networked) < names(parent).indexOf('moveDevice'))
  t.true(names(parent).lastIndexOf('moveDevice') < at(parent, 'signal', barriers.equipped))
  t.true(names(child).indexOf('unshare') < at(child, 'signal', barriers.networked))
  t.true(at(child, 'await', barriers.equipped) < names(child).indexOf('writeSysctl'))
  const joined = compileCreate(request(spec, { namespaceFds: { network: 33 } })).plan
  t.like(
    joined.parent.find(({ op }) => op === 'moveDevice'),
    { namespace: 2 },
  )
})

test('a shared root keeps the volumes peers of the host, and only what ours hang on is private', (t) => {
  const spec = plainSpec(['true'], ({ linux }) => {
    linux.rootfsPropagation = 'rshared'
  })
  const rootfs = { kind: 'directory', path: '/r' } as const
  const child = compileCreate(request(spec, { rootfs })).plan.child
  t.deepEqual(
    child.filter(({ op }) => op === 'privateMount' || op === 'setPropagation'),
    [
      { op: 'privateMount', path: '/state/one' },
      { op: 'privateMount', path: '/r' },
      { op: 'setPropagation', flags: (1 << 20) | 16384 },
    ],
  )
  t.true(names(child).lastIndexOf('maskPath') < names(child).indexOf('setPropagation'))
})
