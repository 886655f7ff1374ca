import test from 'ava'
import { EventRecorder, type Pod, referenceTo, resources } from '../../src/api/index.ts'
import { silentLogger } from '../../src/base/index.ts'
import { FakeApi } from '../support/fake-api.ts'
import { FakeClock } from '../support/fake-clock.ts'

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1' },
  spec: { containers: [] },
}

function setUp() {
  const clock = new FakeClock()
  const api = new FakeApi({ nowMs: () => clock.nowMs() })
  const recorder = new EventRecorder({
    client: api.client,
    clock,
    log: silentLogger,
    component: 'kubelet',
    host: 'n1',
  })
  const events = async () => (await api.client.list(resources.events, { namespace: 'shop' })).items
  return { clock, api, recorder, events }
}

test('an event names its object, its source and the field it is about', async (t) => {
  const { clock, recorder, events } = setUp()
  recorder.record(referenceTo(pod, 'spec.containers{nginx}'), 'Normal', 'Started', 'Started container nginx')
  await clock.advance(0)
  const [event] = await events()
  t.like(event, {
    type: 'Normal',
    reason: 'Started',
    count: 1,
    source: { component: 'kubelet', host: 'n1' },
    involvedObject: {
      kind: 'Pod',
      name: 'web',
      namespace: 'shop',
      uid: 'u1',
      fieldPath: 'spec.containers{nginx}',
    },
  })
})

test('the same news again counts up instead of adding an event', async (t) => {
  const { clock, recorder, events } = setUp()
  for (let i = 0; i < 3; i++) {
    recorder.record(referenceTo(pod), 'Warning', 'BackOff', 'Back-off restarting')
    await clock.advance(10_000)
  }
  const [event, ...others] = await events()
  t.deepEqual(others, [])
  t.is(event?.count, 3)
  t.true(Date.parse(event?.lastTimestamp ?? '') - Date.parse(event?.firstTimestamp ?? '') === 20_000)
})

test('a refused event is dropped, an unreachable server is tried again', async (t) => {
  const { clock, api, recorder, events } = setUp()
  api.refuse = () => ({ code: 403, reason: 'Forbidden', message: 'no' })
  recorder.record(referenceTo(pod), 'Normal', 'A', 'a')
  await clock.advance(60_000)
  t.is(api.requests.length, 1)
  api.refuse = () => ({ code: 503, reason: 'ServiceUnavailable', message: 'later' })
  recorder.record(referenceTo(pod), 'Normal', 'B', 'b')
  await clock.advance(50)
  api.refuse = undefined
  await clock.advance(1000)
  t.deepEqual(
    (await events()).map(({ reason }) => reason),
    ['B'],
  )
})

test('with a delay: written after it, counted together, and at the latest when closed', async (t) => {
  const clock = new FakeClock()
  const api = new FakeApi({ nowMs: () => clock.nowMs() })
  const options = { client: api.client, clock, log: silentLogger, component: 'kubelet', delayMs: 100 }
  const recorder = new EventRecorder(options)
  for (let i = 0; i < 4; i++) {
    recorder.record(referenceTo(pod), 'Normal', 'Pulled', 'here')
    await clock.advance(30)
  }
  const events = async () => (await api.client.list(resources.events, { namespace: 'shop' })).items
  t.deepEqual(
    (await events()).map(({ count }) => count),
    [4],
    'later news does not put the write off',
  )
  recorder.record(referenceTo(pod), 'Normal', 'Killing', 'bye')
  await recorder.close()
  t.is((await events()).length, 2)
})
