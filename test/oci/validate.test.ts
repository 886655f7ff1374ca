import test from 'ava'
import fc from 'fast-check'
import { defaultSpec } from '../../src/oci/default-spec.ts'
import type { Spec } from '../../src/oci/spec.ts'
import { validateProcess, validateSpec } from '../../src/oci/validate.ts'

test('what `spec` writes is valid, rootless as well, and survives JSON', (t) => {
  for (const spec of [defaultSpec(), defaultSpec({ rootless: { uid: 1000, gid: 1000 } })])
    t.deepEqual(validateSpec(JSON.parse(JSON.stringify(spec))), spec)
})

const mapping = (id: number) => ({ containerID: id, hostID: id, size: 1 })
const one = mapping(0)
const files = { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 }
const rule = { allow: true, type: 'c', major: 1, minor: 1 }

/** The default spec with one change, and where the error must point. */
const wrong: [path: string, change: (spec: Spec) => unknown][] = [
  ['the configuration', () => []],
  ['the configuration', () => 'text'],
  ['ociVersion', (spec) => ({ ...spec, ociVersion: undefined })],
  ['ociVersion', (spec) => ({ ...spec, ociVersion: '2.0.0' })],
  ['process.args', (spec) => withProcess(spec, { args: [] })],
  ['process.args', (spec) => withProcess(spec, { args: undefined })],
  ['process.args[1]', (spec) => withProcess(spec, { args: ['sh', 3] })],
  ['process.args[0]', (spec) => withProcess(spec, { args: [''] })],
  ['process.args[0]', (spec) => withProcess(spec, { args: ['a\0b'] })],
  ['process.cwd', (spec) => withProcess(spec, { cwd: 'tmp' })],
  ['process.env[1]', (spec) => withProcess(spec, { env: ['A=b', 'PATH'] })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: 2 ** 32, gid: 0 } })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: -1, gid: 0 } })],
  ['process.user.uid', (spec) => withProcess(spec, { user: { uid: '0', gid: 0 } })],
  [
    'process.user.additionalGids[0]',
    (spec) => withProcess(spec, { user: { uid: 0, gid: 0, additionalGids: [-5] } }),
  ],
  ['process.oomScoreAdj', (spec) => withProcess(spec, { oomScoreAdj: 1001 })],
  ['process.rlimits[0].type', (spec) => withProcess(spec, { rlimits: [{ type: 'X', soft: 1, hard: 1 }] })],
  ['process.rlimits[0]', (spec) => withProcess(spec, { rlimits: [{ type: 'RLIMIT_AS', soft: 2, hard: 1 }] })],
  ['root', (spec) => ({ ...spec, root: undefined })],
  ['root.path', (spec) => ({ ...spec, root: {} })],
  ['root.path', (spec) => ({ ...spec, root: { path: '../elsewhere' } })],
  ['root.path', (spec) => ({ ...spec, root: { path: 'a/../../b' } })],
  ['linux.namespaces[0].type', (spec) => withLinux(spec, { namespaces: [{ type: 'dream' }] })],
  ['linux.namespaces[1]', (spec) => withLinux(spec, { namespaces: [{ type: 'uts' }, { type: 'uts' }] })],
  ['linux.namespaces[0].path', (spec) => withLinux(spec, { namespaces: [{ type: 'uts', path: 'ns' }] })],
  ['hostname', (spec) => withLinux(spec, { namespaces: [{ type: 'mount' }] })],
  ['linux.maskedPaths', (spec) => withLinux(spec, { namespaces: [{ type: 'uts' }] })],
  ['linux.uidMappings', (spec) => withLinux(spec, { uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] })],
  [
    'linux.uidMappings[1].hostID',
    (spec) =>
      withLinux(spec, {
        namespaces: [...(spec.linux?.namespaces ?? []), { type: 'user' }],
        uidMappings: [
          { containerID: 0, hostID: 1000, size: 10 },
          { containerID: 10, hostID: 1009, size: 1 },
        ],
      }),
  ],
  [
    'mounts[0].gidMappings[0].size',
    (spec) => ({
      ...spec,
      mounts: [{ destination: '/x', gidMappings: [{ containerID: 0, hostID: 0, size: 0 }] }],
    }),
  ],
  ['linux.sysctl["vm.swappiness"]', (spec) => withLinux(spec, { sysctl: { 'vm.swappiness': '1' } })],
  [
    'linux.sysctl["net.a.b"]',
    (spec) => withLinux(spec, { sysctl: { 'net.a.b': '1\nkernel.core_pattern=x' } }),
  ],
  [
    'linux.sysctl["net.a.b"]',
    (spec) => withLinux(spec, { sysctl: { 'net.a.b': '1+kernel.core_pattern=x' } }),
  ],
  ['linux.rootfsPropagation', (spec) => withLinux(spec, { rootfsPropagation: 'up' })],
  ['linux.devices[0]', (spec) => withLinux(spec, { devices: [{ path: '/dev/x', type: 'c' }] })],
  ['linux.timeOffsets.monotonic', (spec) => withLinux(spec, { timeOffsets: { monotonic: { secs: 1 } } })],
  ['mounts[0].destination', (spec) => ({ ...spec, mounts: [{ type: 'proc' }] })],
  ['mounts[0].destination', (spec) => ({ ...spec, mounts: [{ destination: '' }] })],
  ['mounts[0].source', (spec) => ({ ...spec, mounts: [{ destination: '/x', type: 'bind' }] })],
  ['mounts[0].source', (spec) => ({ ...spec, mounts: [{ destination: '/x', options: ['rbind'] }] })],
  ['mounts[0].gidMappings', (spec) => withMount(spec, { uidMappings: [one] })],
  ['mounts[0].options', (spec) => withMount(spec, { options: ['bind', 'idmap'] })],
  ['hostname', (spec) => ({ ...spec, hostname: 'x'.repeat(65) })],
  ['hooks.poststop[0].timeout', (spec) => ({ ...spec, hooks: { poststop: [{ path: '/h', timeout: 0 }] } })],
  ['hooks.poststop[0].env[0]', (spec) => ({ ...spec, hooks: { poststop: [{ path: '/h', env: ['X'] }] } })],
  ['process.consoleSize.width', (spec) => withProcess(spec, { consoleSize: { height: 1, width: 65536 } })],
  ['process.oomScoreAdj', (spec) => withProcess(spec, { oomScoreAdj: '5' })],
  ['process.rlimits[1].type', (spec) => withProcess(spec, { rlimits: [files, files] })],
  ['process.user.umask', (spec) => withProcess(spec, { user: { uid: 0, gid: 0, umask: 0o1000 } })],
  ['process.ioPriority.class', (spec) => withProcess(spec, { ioPriority: { class: 'RT', priority: 0 } })],
  [
    'process.ioPriority.priority',
    (spec) => withProcess(spec, { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 8 } }),
  ],
  ['process.scheduler.policy', (spec) => withProcess(spec, { scheduler: { nice: 1 } })],
  ['process.scheduler.policy', (spec) => withProcess(spec, { scheduler: { policy: 'SCHED_FAST' } })],
  ['process.scheduler.nice', (spec) => withScheduler(spec, { policy: 'SCHED_OTHER', nice: 20 })],
  ['process.scheduler.priority', (spec) => withScheduler(spec, { policy: 'SCHED_FIFO', priority: 100 })],
  ['process.scheduler.priority', (spec) => withScheduler(spec, { policy: 'SCHED_BATCH', priority: 1 })],
  [
    'process.scheduler.runtime',
    (spec) => withScheduler(spec, { policy: 'SCHED_RR', priority: 1, runtime: 5 }),
  ],
  [
    'process.scheduler.deadline',
    (spec) => withScheduler(spec, { policy: 'SCHED_DEADLINE', runtime: 5000, deadline: 4000 }),
  ],
  ['process.scheduler.flags[0]', (spec) => withScheduler(spec, { policy: 'SCHED_RR', flags: ['X'] })],
  ['process.execCPUAffinity.final', (spec) => withProcess(spec, { execCPUAffinity: { final: 'all' } })],
  ['linux.uidMappings[1].containerID', (spec) => withUser(spec, [one, { ...one, hostID: 9 }])],
  ['linux.uidMappings[1].hostID', (spec) => withUser(spec, [one, { ...one, containerID: 9 }])],
  ['linux.uidMappings[0].size', (spec) => withUser(spec, [{ ...one, size: 0 }])],
  ['linux.uidMappings[0].hostID', (spec) => withUser(spec, [{ ...one, hostID: 4294967295 }])],
  [
    'linux.uidMappings',
    (spec) =>
      withUser(
        spec,
        Array.from({ length: 341 }, (_, id) => mapping(id)),
      ),
  ],
  ['linux.maskedPaths[0]', (spec) => withLinux(spec, { maskedPaths: ['proc/x'] })],
  ['linux.readonlyPaths[0]', (spec) => withLinux(spec, { readonlyPaths: [''] })],
  ['linux.personality.domain', (spec) => withLinux(spec, { personality: { domain: 'SUN' } })],
  ['linux.devices[0].path', (spec) => withDevice(spec, { path: 'dev/x' })],
  ['linux.devices[0].type', (spec) => withDevice(spec, { type: 'd' })],
  ['linux.devices[0].major', (spec) => withDevice(spec, { major: 4096 })],
  ['linux.devices[0].minor', (spec) => withDevice(spec, { minor: -1 })],
  ['linux.devices[0].fileMode', (spec) => withDevice(spec, { fileMode: 0o200666 })],
  [
    'linux.resources.devices[0].access',
    (spec) => withResources(spec, { devices: [{ ...rule, access: 'x' }] }),
  ],
  ['linux.resources.devices[0].type', (spec) => withResources(spec, { devices: [{ ...rule, type: 'x' }] })],
  ['linux.resources.devices[0].major', (spec) => withResources(spec, { devices: [{ ...rule, major: -2 }] })],
  ['linux.resources.memory.swap', (spec) => withResources(spec, { memory: { limit: 10, swap: 9 } })],
  ['linux.resources.memory.swappiness', (spec) => withResources(spec, { memory: { swappiness: 101 } })],
  ['linux.resources.memory.limit', (spec) => withResources(spec, { memory: { limit: 1.5 } })],
  ['linux.resources.cpu.cpus', (spec) => withResources(spec, { cpu: { cpus: '0-3;reboot' } })],
  ['linux.resources.cpu.shares', (spec) => withResources(spec, { cpu: { shares: -1 } })],
  ['linux.resources.pids.limit', (spec) => withResources(spec, { pids: { limit: 1e300 } })],
  [
    'linux.resources.hugepageLimits[0].pageSize',
    (spec) => withResources(spec, { hugepageLimits: [{ pageSize: '../../x', limit: 1 }] }),
  ],
  ['linux.resources.unified["../x"]', (spec) => withResources(spec, { unified: { '../x': '1' } })],
  ['linux.resources.unified[".."]', (spec) => withResources(spec, { unified: { '..': '1' } })],
  ['linux.resources.rdma["a b"]', (spec) => withResources(spec, { rdma: { 'a b': { hcaHandles: 1 } } })],
  ['linux.cgroupsPath', (spec) => withLinux(spec, { cgroupsPath: '/../x' })],
  ['linux.cgroupsPath', (spec) => withLinux(spec, { cgroupsPath: '/' })],
  ['linux.cgroupsPath', (spec) => withLinux(spec, { cgroupsPath: 'a\nb' })],
  ['linux.cgroupsPath', (spec) => withLinux(spec, { cgroupsPath: `/${'x'.repeat(256)}` })],
  ['linux.netDevices["a/b"]', (spec) => withLinux(spec, { netDevices: { 'a/b': {} } })],
  ['linux.netDevices["eth0"].name', (spec) => withLinux(spec, { netDevices: { eth0: { name: 'a b' } } })],
  ['linux.intelRdt.closID', (spec) => withLinux(spec, { intelRdt: { closID: '../x' } })],
  ['linux.intelRdt.schemata[0]', (spec) => withLinux(spec, { intelRdt: { schemata: ['a\nb'] } })],
  ['linux.memoryPolicy.mode', (spec) => withLinux(spec, { memoryPolicy: { nodes: '0' } })],
  [
    'linux.memoryPolicy.nodes',
    (spec) => withLinux(spec, { memoryPolicy: { mode: 'MPOL_BIND', nodes: 'x' } }),
  ],
  ['linux.timeOffsets.tai', (spec) => withTime(spec, { tai: { secs: 1 } })],
  ['linux.timeOffsets.boottime.nanosecs', (spec) => withTime(spec, { boottime: { nanosecs: 1e9 } })],
  ['annotations[""]', (spec) => ({ ...spec, annotations: { '': 'x' } })],
  ['annotations["a"]', (spec) => ({ ...spec, annotations: { a: 1 } })],
  ['hooks.prestart[0].path', (spec) => ({ ...spec, hooks: { prestart: [{ path: 'hook' }] } })],
]

for (const [index, [path, change]] of wrong.entries())
  test(`refused at ${path} (${index})`, (t) => {
    const error = t.throws(() => validateSpec(change(defaultSpec())))
    t.like(error, { code: 'INVALID_ARGUMENT', path })
    t.truthy((error as { hint?: string }).hint)
    t.true(error?.message.startsWith(path), error?.message)
  })

test('what Go programs write: null for an empty list, fields nobody knows', (t) => {
  const spec = validateSpec({ ...defaultSpec(), mounts: null, hooks: { prestart: null }, solaris: { x: 1 } })
  t.is(spec.mounts, undefined)
  t.deepEqual(spec.hooks, {})
})

test('the process of an exec names its own path', (t) => {
  t.like(
    t.throws(() => validateProcess({ cwd: '/', args: [1] })),
    { path: 'process.args[0]' },
  )
})

test('whatever JSON comes in, the answer is a spec or an INVALID_ARGUMENT', (t) => {
  const keys = [
    'ociVersion',
    'process',
    'root',
    'mounts',
    'linux',
    'hooks',
    'args',
    'path',
    'namespaces',
    'type',
  ]
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, 0, -1, 1.5, true, '', 'x', '/x', '1.0.2'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      try {
        validateSpec(value)
      } catch (error) {
        t.is((error as { code?: string }).code, 'INVALID_ARGUMENT')
      }
    }),
  )
  t.pass()
})

function withProcess(spec: Spec, process: Record<string, unknown>) {
  return { ...spec, process: { ...spec.process, ...process } }
}

function withLinux(spec: Spec, linux: Record<string, unknown>) {
  return { ...spec, linux: { ...spec.linux, ...linux } }
}

function withMount(spec: Spec, mount: Record<string, unknown>) {
  return { ...spec, mounts: [{ destination: '/x', type: 'bind', source: '/', ...mount }] }
}

function withScheduler(spec: Spec, scheduler: Record<string, unknown>) {
  return withProcess(spec, { scheduler })
}

function withUser(spec: Spec, uidMappings: unknown[]) {
  const namespaces = [...(spec.linux?.namespaces ?? []), { type: 'user' }]
  return withLinux(spec, { namespaces, uidMappings, gidMappings: [one] })
}

function withTime(spec: Spec, timeOffsets: Record<string, unknown>) {
  return withLinux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), { type: 'time' }], timeOffsets })
}

function withDevice(spec: Spec, device: Record<string, unknown>) {
  return withLinux(spec, { devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 1, ...device }] })
}

function withResources(spec: Spec, resources: Record<string, unknown>) {
  return withLinux(spec, { resources })
}
