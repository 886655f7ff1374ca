import test, { type ExecutionContext } from 'ava'
import { type Node, nameOf, type Pod, resources } from '../../../src/api/index.ts'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { Scheduler } from '../../../src/control/scheduler/index.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeApi } from '../../support/fake-api.ts'

const namespace = 'default'
const node = (name: string, cpu = '2'): Node => ({
  metadata: { name },
  status: { allocatable: { cpu, memory: '4Gi', pods: '110' } },
})
const pod = (name: string, cpu = '500m'): Pod => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }] },
})

interface Scene {
  api: FakeApi
  events: string[]
}

async function start(t: ExecutionContext, ...nodes: Node[]): Promise<Scene> {
  const api = new FakeApi()
  for (const one of nodes) await api.client.create(resources.nodes, one)
  const abort = new AbortController()
  const events: string[] = []
  const scheduler = new Scheduler({
    client: api.client,
    clock: systemClock,
    log: silentLogger,
    signal: abort.signal,
    record: (about, { reason, message }) => events.push(`${nameOf(about)} ${reason}: ${message}`),
  })
  await scheduler.start()
  t.teardown(async () => {
    abort.abort()
    await scheduler[Symbol.asyncDispose]()
  })
  return { api, events }
}

const placed = async ({ api }: Scene) => {
  const { items } = await api.client.list(resources.pods, { namespace })
  return items.flatMap(({ spec }) => spec?.nodeName ?? [])
}

test('pods spread over like nodes and are announced', async (t) => {
  const scene = await start(t, node('n1'), node('n2'))
  for (let index = 0; index < 6; index++) await scene.api.client.create(resources.pods, pod(`p${index}`))
  const places = await eventually('six placed', async () => {
    const found = await placed(scene)
    return found.length === 6 && found
  })
  t.is(places.filter((name) => name === 'n1').length, 3)
  await eventually('announced', () => scene.events.length === 6)
  t.regex(scene.events[0] ?? '', /^p0 Scheduled: Successfully assigned default\/p0 to n[12]$/)
})

test('many pods at once never overfill a node, and what does not fit says why', async (t) => {
  const scene = await start(t, node('n1', '2'))
  await Promise.all(
    Array.from({ length: 6 }, (_, index) => scene.api.client.create(resources.pods, pod(`p${index}`))),
  )
  await eventually('four placed', async () => (await placed(scene)).length === 4)
  await eventually(
    'two refused',
    () => scene.events.filter((one) => one.includes('FailedScheduling')).length === 2,
  )
  t.is((await placed(scene)).length, 4)
  const waiting = (await scene.api.client.list(resources.pods, { namespace })).items.find(
    ({ spec }) => !spec?.nodeName,
  )
  const condition = waiting?.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  t.like(condition, {
    status: 'False',
    reason: 'Unschedulable',
    message: '0/1 nodes are available: 1 Insufficient cpu.',
  })
})

test('a waiting pod is placed when a node comes, and when a pod goes', async (t) => {
  const scene = await start(t)
  await scene.api.client.create(resources.pods, pod('early', '2'))
  await eventually('refused', () => scene.events.some((one) => one.includes('no nodes available')))
  await scene.api.client.create(resources.nodes, node('n1', '2'))
  await eventually('placed', async () => (await placed(scene)).length === 1)
  await scene.api.client.create(resources.pods, pod('late', '2'))
  await eventually('refused', () => scene.events.some((one) => one.startsWith('late FailedScheduling')))
  await scene.api.client.delete(resources.pods, { namespace, name: 'early' }, { gracePeriodSeconds: 0 })
  await eventually('placed too', async () => (await placed(scene)).length === 1)
  t.pass()
})

test('a refused binding frees the place and is tried again', async (t) => {
  const scene = await start(t, node('n1', '1'))
  let refusals = 2
  scene.api.refuse = ({ path }) =>
    path.endsWith('/binding') && refusals-- > 0 ? { code: 500, message: 'no' } : undefined
  await scene.api.client.create(resources.pods, pod('p', '1'))
  await eventually('placed', async () => (await placed(scene)).length === 1)
  t.pass()
})

test('pods of another scheduler, gated pods and bound pods are left alone, but bound ones take room', async (t) => {
  const scene = await start(t, node('n1', '1'))
  const bound = pod('bound', '600m')
  await scene.api.client.create(resources.pods, {
    ...bound,
    spec: { ...bound.spec, containers: bound.spec?.containers ?? [], nodeName: 'n1' },
  })
  await scene.api.client.create(resources.pods, {
    ...pod('other'),
    spec: { containers: [], schedulerName: 'other' },
  })
  await scene.api.client.create(resources.pods, {
    ...pod('gated'),
    spec: { containers: [], schedulingGates: [{ name: 'g' }] },
  })
  await scene.api.client.create(resources.pods, pod('p', '500m'))
  await eventually('refused', () => scene.events.some((one) => one.startsWith('p FailedScheduling')))
  t.deepEqual(await placed(scene), ['n1'])
})

test('a pod that fits nowhere after a change of a node is not forgotten', async (t) => {
  const scene = await start(t, node('n1', '1'))
  await scene.api.client.create(resources.pods, pod('big', '4'))
  await eventually('told', () => scene.events.length === 1)
  for (const cpu of ['2', '3', '4']) {
    const { metadata } = await scene.api.client.get(resources.nodes, { name: 'n1' })
    await scene.api.client.replaceStatus(resources.nodes, { ...node('n1', cpu), metadata })
    await systemClock.sleep(20)
  }
  t.deepEqual(await eventually('placed', async () => (await placed(scene))[0]), 'n1')
})
