import test from 'ava'
import fc from 'fast-check'
import { cpuMax, cpuWeight, ioWeight, swapMax } from '../../../src/oci/cgroup/convert.ts'
import { deviceWrites } from '../../../src/oci/cgroup/devices.ts'
import type { CgroupLayout } from '../../../src/oci/cgroup/layout.ts'
import { layoutAsMade } from '../../../src/oci/cgroup/path.ts'
import { oomFileOf, planCgroup, planCgroupUpdate } from '../../../src/oci/cgroup/plan.ts'
import type { LinuxResources } from '../../../src/oci/spec.ts'

const hierarchy = (controller: string, own = '/') => ({
  controllers: [controller],
  mountPoint: `/c/${controller}`,
  own,
})
const hybrid: CgroupLayout = {
  mode: 'hybrid',
  v1: [
    ...['cpu', 'cpuset', 'devices', 'freezer', 'pids'].map((controller) => hierarchy(controller)),
    hierarchy('memory', '/us'),
  ],
  v2: { controllers: ['hugetlb'], mountPoint: '/c/unified', own: '/' },
}
const v2: CgroupLayout = {
  mode: 'v2',
  v1: [],
  v2: { controllers: ['cpu', 'io', 'memory', 'pids'], mountPoint: '/c', own: '/us/own' },
}
const nothing = { read: () => undefined }

test('hybrid: directories parents first, tasks of v1, the v2 directory as well', (t) => {
  const plan = planCgroup({ layout: hybrid, path: '/pod/one', ...nothing })
  t.deepEqual(plan.directories.slice(0, 2), ['/c/cpu/pod', '/c/cpu/pod/one'])
  t.is(plan.directories.length, 14)
  t.is(plan.tasksFiles.length, 6)
  t.true(plan.tasksFiles.includes('/c/memory/pod/one/tasks'))
  t.is(plan.v2Directory, '/c/unified/pod/one')
  t.is(plan.oomFile, '/c/memory/pod/one/memory.oom_control')
  t.deepEqual(plan.notices, [])
})

test('a relative path is taken below our own cgroup, as in runc', (t) => {
  const plan = planCgroup({ layout: hybrid, path: 'one', ...nothing })
  t.true(plan.directories.includes('/c/memory/us/one'))
  t.true(plan.directories.includes('/c/cpu/one'))
})

test('who changes limits may be in another cgroup than who made the container: the path is where it was', (t) => {
  const elsewhere = (layout: CgroupLayout): CgroupLayout => ({
    ...layout,
    v1: layout.v1.map((one) => ({ ...one, own: '/somewhere/else' })),
    ...(layout.v2 ? { v2: { ...layout.v2, own: '/somewhere/else' } } : {}),
  })
  for (const layout of [hybrid, v2])
    for (const path of ['one', 'deep/./er', '/absolute/one']) {
      const { leaves, oomFile } = planCgroup({ layout, path, ...nothing })
      const later = layoutAsMade(elsewhere(layout), { path, leaves })
      t.deepEqual(planCgroup({ layout: later, path, ...nothing }).leaves, leaves)
      t.is(oomFileOf(later, path), oomFile)
    }
})

test('a new cpuset level gets what the level above has, from the top, before anybody joins', (t) => {
  const plan = planCgroup({ layout: hybrid, path: '/a/b', resources: { cpu: { cpus: '2' } }, ...nothing })
  t.deepEqual(plan.seeds, [
    { path: '/c/cpuset/a/cpuset.cpus', from: '/c/cpuset/cpuset.cpus' },
    { path: '/c/cpuset/a/b/cpuset.cpus', from: '/c/cpuset/a/cpuset.cpus' },
    { path: '/c/cpuset/a/cpuset.mems', from: '/c/cpuset/cpuset.mems' },
    { path: '/c/cpuset/a/b/cpuset.mems', from: '/c/cpuset/a/cpuset.mems' },
  ])
  t.deepEqual(
    plan.writes.filter(({ path }) => path.includes('cpuset')),
    [{ path: '/c/cpuset/a/b/cpuset.cpus', value: '2' }],
  )
})

test('v1: memory before memsw when new, memsw first when an update raises it', (t) => {
  const resources = { memory: { limit: 64, swap: 128 } }
  const files = (list: { path: string }[]) => list.map(({ path }) => path.split('/').at(-1))
  const memory = ({ path }: { path: string }) => path.includes('memory.')
  const fresh = planCgroup({ layout: hybrid, path: '/x', resources, ...nothing }).writes.filter(memory)
  t.deepEqual(files(fresh), ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'])
  const update = planCgroupUpdate({ layout: hybrid, path: '/x', resources, read: () => '100' })
  t.deepEqual(files(update.writes), ['memory.memsw.limit_in_bytes', 'memory.limit_in_bytes'])
})

test('the period is written before the quota, limits of zero mean zero pids', (t) => {
  const { writes } = planCgroup({
    layout: hybrid,
    path: '/x',
    resources: { cpu: { quota: 50000, period: 100000, shares: 256 }, pids: { limit: 0 } },
    deviceRules: false,
    ...nothing,
  })
  t.deepEqual(writes, [
    { path: '/c/cpu/x/cpu.shares', value: '256' },
    { path: '/c/cpu/x/cpu.cfs_period_us', value: '100000' },
    { path: '/c/cpu/x/cpu.cfs_quota_us', value: '50000' },
    { path: '/c/pids/x/pids.max', value: '0' },
  ])
})

test('hybrid: hugetlb goes to v2, which is told to pass it on', (t) => {
  const { writes, notices } = planCgroup({
    layout: hybrid,
    path: '/p/x',
    resources: { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    deviceRules: false,
    ...nothing,
  })
  t.deepEqual(writes, [
    { path: '/c/unified/cgroup.subtree_control', value: '+hugetlb', failure: 'skip' },
    { path: '/c/unified/p/cgroup.subtree_control', value: '+hugetlb', failure: 'skip' },
    { path: '/c/unified/p/x/hugetlb.2MB.max', value: '0' },
    { path: '/c/unified/p/x/hugetlb.2MB.rsvd.max', value: '0', failure: 'skipAbsent' },
  ])
  t.deepEqual(notices, [])
})

test('a limit whose controller is nowhere is an error as in runc, or a notice where that was asked for', (t) => {
  const request = { layout: hybrid, path: '/x', ...nothing }
  const asked: [string, LinuxResources][] = [
    ['network', { network: { classID: 5 } }],
    ['rdma', { rdma: { mlx5_0: { hcaHandles: 3 } } }],
    ['blockIO', { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] } }],
    ['unified["memory.high"]', { unified: { 'memory.high': '1' } }],
  ]
  for (const [field, resources] of asked) {
    t.like(
      t.throws(() => planCgroup({ ...request, resources })),
      { code: 'FAILED_PRECONDITION', path: `linux.resources.${field}` },
    )
    const { notices } = planCgroup({ ...request, resources, missing: 'tell' })
    t.is(notices.length, 1)
    t.regex(notices[0] ?? '', /is not available here/)
  }
})

test('v2: every level above the leaf passes the controllers on, our own level included', (t) => {
  const plan = planCgroup({
    layout: v2,
    path: 'p/x',
    resources: { memory: { limit: 64, swap: 100 }, cpu: { shares: 1024, quota: 50000, period: 100000 } },
    ...nothing,
  })
  t.deepEqual(plan.directories, ['/c/us/p', '/c/us/p/x'])
  t.deepEqual(plan.tasksFiles, [])
  t.is(plan.oomFile, '/c/us/p/x/memory.events')
  const enabled = plan.writes.filter(
    ({ path, value }) => path.endsWith('subtree_control') && value === '+cpu',
  )
  t.deepEqual(
    enabled.map(({ path }) => path),
    ['/c', '/c/us', '/c/us/p'].map((directory) => `${directory}/cgroup.subtree_control`),
  )
  t.deepEqual(
    plan.writes.filter(({ failure }) => !failure),
    [
      { path: '/c/us/p/x/memory.swap.max', value: '36' },
      { path: '/c/us/p/x/memory.max', value: '64' },
      { path: '/c/us/p/x/cpu.weight', value: '100' },
      { path: '/c/us/p/x/cpu.max', value: '50000 100000' },
    ],
  )
})

test('v2: unified comes last and may not climb', (t) => {
  const plan = (unified: Record<string, string>) =>
    planCgroup({ layout: v2, path: '/x', resources: { memory: { limit: 5 }, unified }, ...nothing })
  t.deepEqual(plan({ 'memory.max': '7' }).writes.at(-1), { path: '/c/x/memory.max', value: '7' })
  t.like(
    t.throws(() => plan({ '../cgroup.procs': '1' })),
    { code: 'INVALID_ARGUMENT' },
  )
})

test('a path that climbs or is the root is refused', (t) => {
  for (const path of ['', '/', '.', '/a/../../b', 'a\nb'])
    t.like(
      t.throws(() => planCgroup({ layout: hybrid, path, ...nothing }), undefined, path),
      {
        code: 'INVALID_ARGUMENT',
        path: 'linux.cgroupsPath',
      },
    )
})

test('cpu.shares → cpu.weight: fixed points, monotonic, in range', (t) => {
  t.is(cpuWeight(2), 1)
  t.is(cpuWeight(1024), 100)
  t.is(cpuWeight(262144), 10000)
  t.is(cpuWeight(0), undefined)
  const shares = fc.integer({ min: 2, max: 262144 })
  fc.assert(
    fc.property(shares, shares, (a, b) => {
      const [low, high] = [cpuWeight(Math.min(a, b)) ?? 0, cpuWeight(Math.max(a, b)) ?? 0]
      t.true(low >= 1 && high <= 10000 && low <= high)
    }),
  )
})

test('io weight is linear from 10…1000 to 1…10000', (t) => {
  t.is(ioWeight(10), 1)
  t.is(ioWeight(1000), 10000)
  t.is(ioWeight(500), 4950)
})

test('cpu.max and swap', (t) => {
  t.is(cpuMax(-1, 100000), 'max 100000')
  t.is(cpuMax(50000, undefined), '50000 100000')
  t.is(cpuMax(undefined, undefined), undefined)
  t.is(swapMax(-1, undefined), 'max')
  t.is(swapMax(undefined, -1), 'max')
  t.is(swapMax(0, 64), undefined)
  for (const [swap, limit] of [
    [100, undefined],
    [100, -1],
    [50, 64],
  ] as const)
    t.like(
      t.throws(() => swapMax(swap, limit)),
      { path: 'linux.resources.memory.swap' },
    )
})

test('swap of v2 and its memory limit always add up to what the spec said', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.nat(2 ** 40), (limit, extra) => {
      t.is(Number(swapMax(limit + extra, limit)) + limit, limit + extra)
    }),
  )
})

test('device rules: deny all first, then in order, then what every container has', (t) => {
  const writes = deviceWrites([
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
  ])
  t.deepEqual(writes.slice(0, 2), [
    { file: 'devices.deny', value: 'a' },
    { file: 'devices.allow', value: 'c 10:229 rw' },
  ])
  t.true(writes.some(({ value }) => value === 'c 1:3 rwm'))
})

test('device rules: all allowed is one write', (t) => {
  t.deepEqual(
    deviceWrites([{ allow: false }, { allow: true, type: 'a', major: -1, minor: -1, access: 'rwm' }]),
    [{ file: 'devices.allow', value: 'a' }],
  )
})
