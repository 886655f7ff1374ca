/** The systemd cgroup driver of pods, against a systemd of the test's own on a real message bus. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CgroupDriver, NamespaceMode, UpdateContainerResourcesRequest } from '../../cri/types.ts'
import { planCgroup, readCgroupLayout, v1Hierarchy } from '../../src/oci/index.ts'
import { CriEndpoint, call } from '../support/cri-endpoint.ts'
import { type FakeSystemd, fakeSystemd, groupsOf, hasDbusDaemon } from '../support/fake-systemd.ts'
import { serialRootTest } from '../support/root.ts'

type Body = (t: ExecutionContext, endpoint: CriEndpoint, systemd: FakeSystemd) => Promise<void>

function systemdTest(title: string, body: Body): void {
  const register: (title: string, body: (t: ExecutionContext) => Promise<void>) => void = hasDbusDaemon
    ? serialRootTest
    : test.skip
  register(hasDbusDaemon ? title : `${title} (needs dbus-daemon)`, async (t) => {
    await using systemd = await fakeSystemd()
    await using endpoint = await CriEndpoint.create('slices', { settings: { cgroupDriver: 'systemd' } })
    await endpoint.loadBusybox()
    await body(t, endpoint, systemd)
  })
}

const layout = readCgroupLayout()
const top = `kt${process.pid}`
const podSlice = `${top}-burstable-pod1.slice`
const path = `/${top}.slice/${top}-burstable.slice/${podSlice}`
const leavesOf = (path: string) => planCgroup({ layout, path }).leaves
const shared = (pid: NamespaceMode) => ({
  cgroupParent: podSlice,
  securityContext: { namespaceOptions: { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid } },
})

systemdTest('a container is a scope in the slice that a kubelet names', async (t, endpoint, systemd) => {
  const bus = { DBUS_SYSTEM_BUS_ADDRESS: systemd.address }
  await endpoint.start(bus)
  const { runtime } = endpoint
  t.is((await runtime.runtimeConfig({}, call)).linux?.cgroupDriver, CgroupDriver.SYSTEMD)
  const podId = await endpoint.pod('web', { linux: shared(NamespaceMode.POD) })
  const resources = { memoryLimitInBytes: 64n << 20n, cpuShares: 512n }
  const id = await endpoint.run(podId, 'main', { linux: { resources } })
  const scope = `cri-keelson-${id}.scope`
  t.like(systemd.units.get(scope), { Slice: podSlice, Delegate: true })
  t.like(systemd.units.get(`cri-keelson-${podId}.scope`), { Slice: podSlice }) // the PID 1 of the pod
  for (const line of groupsOf(await endpoint.hostPid(id))) t.true(line.endsWith(`:${path}/${scope}`), line)

  await endpoint.crash()
  await endpoint.start(bus)
  const { stats } = await endpoint.runtime.containerStats({ containerId: id }, call)
  t.true((stats?.memory?.usageBytes?.value ?? 0n) > 0n)
  const linux = { memoryLimitInBytes: 32n << 20n }
  await endpoint.runtime.updateContainerResources(
    UpdateContainerResourcesRequest.fromPartial({ containerId: id, linux }),
    call,
  )
  const memory = v1Hierarchy(layout, 'memory')
  if (memory) {
    const file = join(memory.mountPoint, path, scope, 'memory.limit_in_bytes')
    t.is(readFileSync(file, 'utf8').trim(), String(32 << 20))
  }
  await endpoint.removePod(podId)
  t.deepEqual([...systemd.units.keys()], [])
  t.deepEqual(
    leavesOf(path).filter((leaf) => existsSync(leaf)),
    [],
  )
})

systemdTest(
  'a pod without a parent has a slice of its own, which goes with it',
  async (t, endpoint, systemd) => {
    await endpoint.start({ DBUS_SYSTEM_BUS_ADDRESS: systemd.address })
    const podId = await endpoint.pod()
    const id = await endpoint.run(podId, 'main')
    const slice = `${endpoint.instance}-${podId}.slice`
    t.is(systemd.units.get(`cri-keelson-${id}.scope`)?.['Slice'], slice)
    const own = `/${endpoint.instance}.slice/${slice}`
    t.true(leavesOf(own).some((leaf) => existsSync(leaf)))
    await t.throwsAsync(endpoint.pod('other', { linux: { cgroupParent: '/kubepods/pod2' } }), {
      message: /cgroup parent \/kubepods\/pod2 is written for cgroupfs, but the cgroup driver is systemd/,
    })
    await endpoint.removePod(podId)
    t.deepEqual([...systemd.units.keys()], [])
    t.deepEqual(
      leavesOf(own).filter((leaf) => existsSync(leaf)),
      [],
    )
  },
)

systemdTest('without a systemd the start says so', async (t, endpoint) => {
  const address = `unix:path=${endpoint.directory}/no-bus`
  await t.throwsAsync(endpoint.start({ DBUS_SYSTEM_BUS_ADDRESS: address }))
  const log = readFileSync(endpoint.logPath, 'utf8')
  t.regex(log, /no systemd answers at unix:path=.*no-bus/)
  t.regex(log, /use the cgroup driver cgroupfs/)
})
