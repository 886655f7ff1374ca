import test from 'ava'
import * as cri from '../../cri/types.ts'
import { EventRecorder, type Pod } from '../../src/api/index.ts'
import { silentLogger } from '../../src/base/index.ts'
import { ContainerStopper, type Released } from '../../src/kubelet/container-stopper.ts'
import { PodEvents } from '../../src/kubelet/pod-events.ts'
import { PodMemory } from '../../src/kubelet/pod-memory.ts'
import { type ContainerRun, nothing } from '../../src/kubelet/pod-runtime.ts'
import { FakeApi } from '../support/fake-api.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeCri } from '../support/fake-cri.ts'

async function setUp(released?: Released) {
  const clock = new FakeClock()
  const fake = new FakeCri(clock)
  const done: string[] = []
  const call = { signal: new AbortController().signal }
  const recorder = new EventRecorder({
    client: new FakeApi().client,
    clock,
    log: silentLogger,
    component: 'kubelet',
  })
  const stopper = new ContainerStopper({
    runtime: fake.runtime,
    released,
    events: new PodEvents(recorder),
    clock,
    log: silentLogger,
    signal: call.signal,
    again: (uid) => void done.push(uid),
  })
  fake.programs.set('web', { ignoresStop: true })
  const sandbox = cri.PodSandboxConfig.fromPartial({ metadata: { name: 'p' } })
  const { podSandboxId } = await fake.runtime.runPodSandbox({ config: sandbox, runtimeHandler: '' }, call)
  const config = cri.ContainerConfig.fromPartial({ metadata: { name: 'web' } })
  const { containerId } = await fake.runtime.createContainer(
    { podSandboxId, config, sandboxConfig: sandbox },
    call,
  )
  await fake.runtime.startContainer({ containerId }, call)
  const { status = cri.ContainerStatus.create() } = await fake.runtime.containerStatus(
    { containerId, verbose: false },
    call,
  )
  const run: ContainerRun = {
    id: containerId,
    name: 'web',
    attempt: 0,
    sandboxId: podSandboxId,
    state: status.state,
    status,
  }
  const pod: Pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'web' }] } }
  const look = { uid: 'u1', pod, have: nothing, memory: new PodMemory() }
  const stops = () =>
    fake.calls.filter((one) => one.startsWith('stopContainer')).map((one) => one.split(' ')[2])
  return { clock, done, stopper, run, look, stops }
}

test('a nearer deadline asked for later counts: killed then, not at the first one', async (t) => {
  const { clock, done, stopper, run, look, stops } = await setUp()
  stopper.stop(look, run, 300_000, 'm')
  await clock.advance(10_000)
  stopper.stop(look, run, 5000, 'm')
  await clock.advance(4999)
  t.deepEqual([stops(), done], [['300'], []])
  await clock.advance(1)
  t.deepEqual([stops(), done], [['300', '0'], ['u1']])
  t.false(stopper.isStopping(run))
})

test('the same wish again, or a later deadline, changes nothing', async (t) => {
  const { clock, done, stopper, run, look, stops } = await setUp()
  stopper.stop(look, run, 30_000, 'm')
  await clock.advance(10_000)
  for (const graceMs of [20_000, 19_000, 60_000]) stopper.stop(look, run, graceMs, 'm')
  await clock.advance(19_999)
  t.deepEqual([stops(), done], [['30'], []])
  await clock.advance(1)
  t.deepEqual([stops(), done], [['30'], ['u1']])
})

test('a deleted pod is stopped once no Service leads to it any more, or after a second', async (t) => {
  const asked: (readonly string[])[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const { clock, stopper, run, look, stops } = await setUp((addresses) => {
    asked.push(addresses)
    return released
  })
  look.pod.status = { podIPs: [{ ip: '10.42.0.2' }] }
  look.pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
  stopper.stop(look, run, 30_000, 'm')
  await clock.advance(999)
  t.deepEqual([asked, stops()], [[['10.42.0.2']], []])
  release()
  await clock.advance(0)
  t.deepEqual(stops(), ['30'])
})

test('Services that never let go of a pod hold its end up for a second only', async (t) => {
  const never: Released = (_, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const { clock, stopper, run, look, stops } = await setUp(never)
  look.pod.status = { podIPs: [{ ip: '10.42.0.2' }] }
  look.pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
  stopper.stop(look, run, 30_000, 'm')
  await clock.advance(999)
  t.deepEqual(stops(), [])
  await clock.advance(1)
  t.deepEqual(stops(), ['29'])
})
