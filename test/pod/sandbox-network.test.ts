/** What RunPodSandbox tells the pod network, and what it takes from its answer. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Protocol } from '../../cri/types.ts'
import { KeelsonError, silentLogger } from '../../src/base/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { createPodService } from '../../src/pod/index.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakePodHost } from '../support/fake-pod-host.ts'
import { podConfig, runRequest } from '../support/pod-requests.ts'
import { scratchDirectory } from '../support/scratch-directory.ts'

const call = { signal: new AbortController().signal }

async function scene(t: ExecutionContext) {
  const directory = await scratchDirectory(t)
  const host = new FakePodHost()
  const ledger = await openLedger({ path: join(directory, 'ledger') })
  t.teardown(() => ledger[Symbol.asyncDispose]())
  const open = () =>
    createPodService({
      ...host,
      ledger,
      cgroupInstance: `keelson-test-${process.pid}`,
      runDirectory: join(directory, 'run'),
      version: '1',
      clock: new FakeClock(),
      log: silentLogger,
    })
  const { runtime } = await open()
  const resolv = (id: string) => readFile(join(directory, 'run/pods', id, 'resolv.conf'), 'utf8')
  return { host, runtime, resolv, open }
}

test('host ports, annotations, names and cgroup are told', async (t) => {
  const { host, runtime } = await scene(t)
  const config = podConfig('web', {
    annotations: { 'kubernetes.io/ingress-bandwidth': '1M' },
    dnsConfig: { servers: ['10.0.0.10'], searches: [], options: [] },
    portMappings: [
      { protocol: Protocol.UDP, hostPort: 53, containerPort: 5353, hostIp: '::1' },
      { protocol: Protocol.TCP, hostPort: 0, containerPort: 80, hostIp: '' },
    ],
    linux: { ...podConfig('web').linux, cgroupParent: '/kubepods/pod1' },
  })
  await runtime.runPodSandbox(runRequest(config), call)
  t.like(host.network.requests[0], {
    annotations: { 'kubernetes.io/ingress-bandwidth': '1M' },
    dns: { servers: ['10.0.0.10'] },
    portMappings: [{ protocol: 'udp', hostPort: 53, containerPort: 5353, hostIp: '::1' }],
    cgroupPath: '/kubepods/pod1',
  })
  t.is(host.network.requests[0]?.portMappings.length, 1)
})

test('what the network says of names is used where the pod says nothing', async (t) => {
  const { host, runtime, resolv } = await scene(t)
  host.network.dns = { servers: ['10.88.0.1'], searches: ['pods.test'], options: ['ndots:2'] }
  const silent = await runtime.runPodSandbox(runRequest(podConfig('a')), call)
  t.is(await resolv(silent.podSandboxId), 'search pods.test\nnameserver 10.88.0.1\noptions ndots:2\n')
  const dnsConfig = { servers: ['10.0.0.10'], searches: [], options: [] }
  const asked = await runtime.runPodSandbox(runRequest(podConfig('b', { dnsConfig })), call)
  t.is(await resolv(asked.podSandboxId), 'search pods.test\nnameserver 10.0.0.10\noptions ndots:2\n')
})

test('the ranges of UpdateRuntimeConfig are handed on', async (t) => {
  const { host, runtime } = await scene(t)
  const networkConfig = { podCidr: '10.42.3.0/24,fd00:3::/64' }
  await runtime.updateRuntimeConfig({ runtimeConfig: { networkConfig } }, call)
  t.deepEqual(host.network.podCidrs, ['10.42.3.0/24', 'fd00:3::/64'])
})

test('the network of a pod that came to nothing, or that no record speaks of, is abandoned', async (t) => {
  const { host, runtime, open } = await scene(t)
  host.network.gate = Promise.resolve()
  host.network.failure = new KeelsonError('INTERNAL', 'no address')
  host.network.tearDownFailure = new KeelsonError('INTERNAL', 'CNI plugin "x" failed to DEL')
  await t.throwsAsync(runtime.runPodSandbox(runRequest(podConfig('web')), call), { message: 'no address' })
  t.deepEqual(
    host.network.abandoned,
    host.network.requests.map(({ sandboxId }) => sandboxId),
  )
  host.network.leases.set('orphan', { addresses: [] })
  await open()
  t.is(host.network.abandoned.at(-1), 'orphan')
})

test('a network that cannot be taken down fails the stop, which may be repeated; it does not fail the next start', async (t) => {
  const { host, runtime, open } = await scene(t)
  const { podSandboxId } = await runtime.runPodSandbox(runRequest(podConfig('web')), call)
  host.network.tearDownFailure = new KeelsonError('INTERNAL', 'CNI plugin "x" failed to DEL')
  await t.throwsAsync(runtime.stopPodSandbox({ podSandboxId }, call), { message: /failed to DEL/ })
  t.is((await runtime.podSandboxStatus({ podSandboxId, verbose: false }, call)).status?.state, 0)
  host.network.leases.set('orphan', { addresses: [] })
  const next = await open()
  t.true(host.network.list().includes('orphan'))
  host.network.tearDownFailure = undefined
  await next.runtime.stopPodSandbox({ podSandboxId }, call)
  t.false(host.network.list().includes(podSandboxId))
})

test('a start does not wait for a network that takes its time to go, which keeps its namespace until then', async (t) => {
  const { host, open } = await scene(t)
  for (const id of ['slow', 'gone']) await host.pins.create({ id, network: true, ipc: false })
  host.network.leases.set('slow', { addresses: [] })
  let go = () => {}
  host.network.tearDownGate = new Promise((resolve) => {
    go = resolve
  })
  await open()
  t.deepEqual(await host.pins.list(), ['slow'])
  go()
  await eventually('the namespace goes after it', async () => (await host.pins.list()).length === 0)
  t.deepEqual(host.network.list(), [])
})
