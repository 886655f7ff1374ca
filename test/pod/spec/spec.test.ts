import test from 'ava'
import fc from 'fast-check'
import {
  type ContainerConfig,
  type DeepPartial,
  MountPropagation,
  NamespaceMode,
} from '../../../cri/types.ts'
import { type ErrorCode, KeelsonError } from '../../../src/base/index.ts'
import type { Spec } from '../../../src/oci/index.ts'
import { buildSpec, type SpecRequest } from '../../../src/pod/spec/spec.ts'
import { fakeImage } from '../../support/fake-images.ts'
import { containerConfig, podConfig } from '../../support/pod-requests.ts'

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN', 'CAP_SETUID']
const profile = { defaultAction: 'SCMP_ACT_ERRNO' }

function build(config: DeepPartial<ContainerConfig> = {}, more: Partial<SpecRequest> = {}): Spec {
  return buildSpec({
    config: containerConfig('main', config),
    sandbox: podConfig('web'),
    image: fakeImage.config,
    user: { uid: 1, gid: 2, additionalGids: [2] },
    hostname: 'web',
    cgroupsPath: '/pods/x',
    files: { '/etc/hosts': '/run/hosts', '/etc/resolv.conf': '/run/resolv.conf' },
    seccomp: () => undefined,
    devices: [],
    host: { capabilities, oomScoreAdjMin: -1000 },
    ...more,
  })
}

const security = (context: DeepPartial<NonNullable<ContainerConfig['linux']>['securityContext']>) => ({
  linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER }, ...context } },
})

const mountAt = (spec: Spec, place: string) => spec.mounts?.find(({ destination }) => destination === place)

test('command and args over entrypoint and cmd', (t) => {
  const args = (config: DeepPartial<ContainerConfig>) => build(config).process?.args
  t.deepEqual(args({}), ['/entry', 'serve'])
  t.deepEqual(args({ args: ['x'] }), ['/entry', 'x'])
  t.deepEqual(args({ command: ['/c'] }), ['/c'])
  t.deepEqual(args({ command: ['/c'], args: ['x'] }), ['/c', 'x'])
  const image = { ...fakeImage.config, config: {} }
  const error = t.throws(() => build({}, { image }), { instanceOf: KeelsonError })
  t.is(error.code, 'INVALID_ARGUMENT')
})

test("the environment: defaults, the image's, the caller's, by name and in order", (t) => {
  const image = { ...fakeImage.config, config: { Cmd: ['x'], Env: ['A=1', 'PATH=/p', 'E=a=b', 'N'] } }
  const envs = [
    { key: 'A', value: Buffer.from('2') },
    { key: 'Z', value: Buffer.from('') },
  ]
  t.deepEqual(build({ envs, tty: true }, { image }).process?.env, [
    'PATH=/p',
    'HOSTNAME=web',
    'TERM=xterm',
    'A=2',
    'E=a=b',
    'N=',
    'Z=',
  ])
  t.true(build({}, { hostname: '' }).process?.env?.every((one) => !one.startsWith('HOSTNAME=')))
})

test('the working directory: asked for, the image its own, the root', (t) => {
  t.is(build({ workingDir: '/a' }).process?.cwd, '/a')
  const image = { ...fakeImage.config, config: { Cmd: ['x'], WorkingDir: '/w' } }
  t.is(build({}, { image }).process?.cwd, '/w')
  t.is(build().process?.cwd, '/')
})

test('namespaces: own mount, cgroup and pid, the three of the pod joined', (t) => {
  const types = (spec: Spec) => spec.linux?.namespaces?.map(({ type }) => type)
  t.deepEqual(types(build()), ['mount', 'cgroup', 'pid', 'network', 'ipc', 'uts'])
  t.true(build().linux?.namespaces?.every(({ path }) => path === undefined))
  const options = { namespaceOptions: { pid: NamespaceMode.NODE } }
  t.false(types(build({ linux: { securityContext: options } }))?.includes('pid'))
  const range = { hostId: 5000, containerId: 0, length: 10 }
  const usernsOptions = { mode: NamespaceMode.POD, uids: [range], gids: [range] }
  const sandbox = podConfig('web', { linux: { securityContext: { namespaceOptions: { usernsOptions } } } })
  const held = build({ linux: {} }, { sandbox })
  t.deepEqual(types(held), ['mount', 'cgroup', 'pid', 'user', 'network', 'ipc', 'uts'])
  t.deepEqual(held.linux?.gidMappings, [{ containerID: 0, hostID: 5000, size: 10 }])
})

test('capabilities: the default list as far as the host has it; add, drop, ALL, ambient, privileged', (t) => {
  const bounding = (context: object) => build(security(context)).process?.capabilities?.bounding?.toSorted()
  t.deepEqual(bounding({}), ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SETUID'])
  t.deepEqual(bounding({ capabilities: { dropCapabilities: ['KILL', 'cap_chown'] } }), [
    'CAP_NET_RAW',
    'CAP_SETUID',
  ])
  t.deepEqual(bounding({ capabilities: { dropCapabilities: ['ALL'], addCapabilities: ['NET_ADMIN'] } }), [
    'CAP_NET_ADMIN',
  ])
  t.deepEqual(bounding({ capabilities: { addCapabilities: ['ALL'] } }), capabilities.toSorted())
  t.deepEqual(
    bounding({ privileged: true, capabilities: { dropCapabilities: ['ALL'] } }),
    capabilities.toSorted(),
  )
  t.deepEqual(bounding({ capabilities: { dropCapabilities: ['ALL'], addCapabilities: ['SYS_TIME'] } }), [])
  const ambient = build(security({ capabilities: { addAmbientCapabilities: ['NET_ADMIN'] } })).process
    ?.capabilities
  t.deepEqual(ambient?.ambient, ['CAP_NET_ADMIN'])
  t.deepEqual(ambient?.inheritable, ['CAP_NET_ADMIN'])
  t.true(ambient?.bounding?.includes('CAP_NET_ADMIN'))
  t.is(build().process?.capabilities?.inheritable, undefined)
  const unknown = security({ capabilities: { addCapabilities: ['FLY'] } })
  t.throws(() => build(unknown), { message: 'unknown capability FLY' })
})

test('property: no set ever holds more than the host may give', (t) => {
  const names = fc.subarray([...capabilities, 'ALL', 'NET_ADMIN', 'kill'])
  const property = fc.property(names, names, names, fc.boolean(), (add, drop, ambient, privileged) => {
    const asked = { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient }
    const sets = build(security({ privileged, capabilities: asked })).process?.capabilities ?? {}
    return Object.values(sets).every((set: string[]) => set.every((one) => capabilities.includes(one)))
  })
  t.notThrows(() => fc.assert(property))
})

test('seccomp is built for the capabilities the container has; privileged has no masks', (t) => {
  let given: readonly string[] = []
  const seccomp = (names: readonly string[]) => {
    given = names
    return profile
  }
  const masks = { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] }
  const plain = build(security(masks), { seccomp })
  t.deepEqual(plain.linux?.seccomp, profile)
  t.deepEqual(given, plain.process?.capabilities?.bounding)
  t.deepEqual([plain.linux?.maskedPaths, plain.linux?.readonlyPaths], [['/proc/kcore'], ['/proc/sys']])
  const privileged = build(security({ ...masks, privileged: true }))
  t.deepEqual([privileged.linux?.maskedPaths, privileged.linux?.readonlyPaths], [undefined, undefined])
  t.true(mountAt(privileged, '/sys')?.options?.includes('rw'))
  t.true(mountAt(plain, '/sys')?.options?.includes('ro'))
  t.true(plain.linux?.resources?.devices?.[0]?.allow === false)
  t.deepEqual(privileged.linux?.resources?.devices, [{ allow: true, access: 'rwm' }])
})

test('mounts: parents first, the caller takes the place of the standard ones', (t) => {
  const mounts = [
    { containerPath: '/data/deep/er', hostPath: '/a' },
    { containerPath: '/etc/hosts', hostPath: '/mine', readonly: true },
    { containerPath: '/data', hostPath: '/b', propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER },
    { containerPath: 'relative/', hostPath: '/c' },
    { containerPath: '/dev/shm', hostPath: '/d' },
  ]
  const spec = build({ mounts })
  const places = spec.mounts?.map(({ destination }) => destination) ?? []
  t.is(new Set(places).size, places.length)
  t.true(places.indexOf('/data') < places.indexOf('/data/deep/er'))
  t.true(places.indexOf('/dev') < places.indexOf('/dev/shm'))
  t.deepEqual(mountAt(spec, '/etc/hosts'), {
    destination: '/etc/hosts',
    type: 'bind',
    source: '/mine',
    options: ['rbind', 'rprivate', 'ro'],
  })
  t.is(mountAt(spec, '/dev/shm')?.source, '/d')
  t.deepEqual(mountAt(spec, '/data')?.options, ['rbind', 'rslave', 'rw'])
  t.is(mountAt(spec, '/relative')?.source, '/c')
  t.is(spec.linux?.rootfsPropagation, 'rslave')
  t.is(build().linux?.rootfsPropagation, undefined)
  t.deepEqual(mountAt(build(security({ readonlyRootfs: true })), '/etc/resolv.conf')?.options, [
    'rbind',
    'rprivate',
    'ro',
  ])
})

test('property: no mount hides one that comes later', (t) => {
  const name = fc.constantFrom('a', 'b', 'dev', 'etc', 'sys')
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`)
  const property = fc.property(fc.uniqueArray(path, { maxLength: 8 }), (paths) => {
    const spec = build({ mounts: paths.map((containerPath) => ({ containerPath, hostPath: '/x' })) })
    const places = spec.mounts?.map(({ destination }) => destination) ?? []
    return places.every((early, i) => places.slice(0, i).every((before) => !before.startsWith(`${early}/`)))
  })
  t.notThrows(() => fc.assert(property))
})

test('recursive read-only needs readonly and private; what cannot be had is named', (t) => {
  const mount = { containerPath: '/m', hostPath: '/h', readonly: true, recursiveReadOnly: true }
  t.true(mountAt(build({ mounts: [mount] }), '/m')?.options?.includes('rro'))
  const bidirectional = MountPropagation.PROPAGATION_BIDIRECTIONAL
  const refused: [DeepPartial<ContainerConfig['mounts'][number]>, ErrorCode][] = [
    [{ ...mount, readonly: false }, 'INVALID_ARGUMENT'],
    [{ ...mount, propagation: bidirectional }, 'INVALID_ARGUMENT'],
    [{ containerPath: '/m' }, 'INVALID_ARGUMENT'],
    [{ containerPath: '/', hostPath: '/h' }, 'INVALID_ARGUMENT'],
    [{ containerPath: '', hostPath: '/h' }, 'INVALID_ARGUMENT'],
    [{ containerPath: '/m', image: { image: 'x' } }, 'INVALID_ARGUMENT'],
    [{ containerPath: '/m', image: { image: 'x' }, readonly: true, hostPath: '/h' }, 'INVALID_ARGUMENT'],
    [
      { containerPath: '/m', image: { image: 'x' }, readonly: true, propagation: bidirectional },
      'INVALID_ARGUMENT',
    ],
  ]
  for (const [one, code] of refused) {
    const error = t.throws(() => build({ mounts: [one] }), { instanceOf: KeelsonError })
    t.is(error.code, code)
  }
})

test('limits: zero is not asked for, -1 lifts a quota; oom_score_adj stops at what the host allows', (t) => {
  t.deepEqual(Object.keys(build({ linux: { resources: {} } }).linux?.resources ?? {}), ['devices'])
  const resources = {
    cpuShares: 512n,
    cpuQuota: -1n,
    cpuPeriod: 100000n,
    memoryLimitInBytes: 64n << 20n,
    memorySwapLimitInBytes: -1n,
    oomScoreAdj: -997n,
    cpusetCpus: '0',
    hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
    unified: { 'memory.high': '1' },
  }
  const spec = build({ linux: { resources } })
  const { devices: _, ...limits } = spec.linux?.resources ?? {}
  t.deepEqual(limits, {
    cpu: { shares: 512, period: 100000, quota: -1, cpus: '0' },
    memory: { limit: 64 << 20, swap: -1 },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    unified: { 'memory.high': '1' },
  })
  t.is(spec.process?.oomScoreAdj, -997)
  const limited = build({ linux: { resources } }, { host: { capabilities, oomScoreAdjMin: 0 } })
  t.is(limited.process?.oomScoreAdj, 0)
})

test('devices become nodes and rules', (t) => {
  const device = { path: '/dev/fuse', type: 'c', major: 10, minor: 229 }
  const { linux } = build({}, { devices: [{ device, access: 'rw' }] })
  t.deepEqual(linux?.devices, [device])
  t.deepEqual(linux?.resources?.devices?.at(-1), {
    allow: true,
    type: 'c',
    major: 10,
    minor: 229,
    access: 'rw',
  })
})

test('the rest: terminal, no_new_privs, read-only root, cgroup path, user', (t) => {
  const spec = build({ tty: true, ...security({ noNewPrivs: true, readonlyRootfs: true }) })
  t.like(spec, {
    root: { readonly: true },
    process: { terminal: true, noNewPrivileges: true, user: { uid: 1, gid: 2, additionalGids: [2] } },
    linux: { cgroupsPath: '/pods/x' },
  })
})

test('the spec is a value: it survives JSON and is the same each time', (t) => {
  const spec = build({ mounts: [{ containerPath: '/m', hostPath: '/h' }] })
  t.deepEqual(JSON.parse(JSON.stringify(spec)), spec)
  t.deepEqual(build({ mounts: [{ containerPath: '/m', hostPath: '/h' }] }), spec)
})
