import test from 'ava'
import { type EndpointSlice, type Pod, resources, type Service } from '../../../src/api/index.ts'
import { difference, wantedSlices } from '../../../src/control/controllers/endpointslice.ts'
import { apiWithControllers } from '../../support/controllers.ts'
import { eventually } from '../../support/eventually.ts'

const service: Service = {
  metadata: { name: 'web', namespace: 'default', uid: 's1' },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
}

function pod(name: string, ip: string | undefined, { ready = true, port = 8080, deleted = false } = {}): Pod {
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels: { app: 'web' },
      ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: port }] }] },
    status: { podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

test('named ports are looked up in each pod; pods that differ get slices of their own', (t) => {
  const slices = wantedSlices(service, [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { port: 9090 })])
  t.deepEqual(
    slices.map(({ ports, endpoints }) => [ports[0]?.port, endpoints.map(({ addresses }) => addresses[0])]),
    [
      [8080, ['10.0.0.1']],
      [9090, ['10.0.0.2']],
    ],
  )
})

test('ready, serving and terminating say what they mean; a pod without an address is left out', (t) => {
  const [slice] = wantedSlices(service, [
    pod('a', '10.0.0.1'),
    pod('b', '10.0.0.2', { ready: false }),
    pod('c', '10.0.0.3', { deleted: true }),
    pod('d', undefined),
  ])
  t.deepEqual(
    slice?.endpoints.map(({ conditions }) => conditions),
    [
      { ready: true, serving: true, terminating: false },
      { ready: false, serving: false, terminating: false },
      { ready: false, serving: true, terminating: true },
    ],
  )
})

test('no endpoints still give one empty slice; more than 100 are split', (t) => {
  t.deepEqual(wantedSlices(service, []), [{ addressType: 'IPv4', ports: [], endpoints: [] }])
  const pods = Array.from({ length: 250 }, (_, index) =>
    pod(`p${index}`, `10.0.${index >> 8}.${index & 255}`),
  )
  t.deepEqual(
    wantedSlices(service, pods).map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  )
})

test('slices that already say it stay, others are rewritten before new ones are made', (t) => {
  const [body] = wantedSlices(service, [pod('a', '10.0.0.1')])
  const [other] = wantedSlices(service, [pod('b', '10.0.0.2')])
  if (!body || !other) return t.fail()
  const slice: EndpointSlice = { metadata: { name: 'web-1' }, ...body }
  t.deepEqual(difference(service, [body], [slice]), { create: [], update: [], remove: [] })
  t.is(difference(service, [other], [slice]).update[0]?.metadata.name, 'web-1')
  t.is(difference(service, [body, other], [slice]).create.length, 1)
  t.deepEqual(difference(service, [], [slice]).remove, [slice])
})

test('a service follows its pods', async (t) => {
  const api = await apiWithControllers(t)
  const { client } = api
  const addresses = async () =>
    (await client.list(resources.endpointslices, { namespace: 'default' })).items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready)
      .flatMap(({ addresses }) => addresses)
  const { uid: _uid, ...metadata } = service.metadata
  await client.create(resources.services, { ...service, metadata })
  await eventually(
    'an empty slice',
    async () => (await client.list(resources.endpointslices)).items.length === 1,
  )
  const made = await client.create(resources.pods, pod('a', undefined))
  await client.replaceStatus(resources.pods, { ...made, status: pod('a', '10.0.0.1').status })
  await eventually('one address', async () => (await addresses()).join() === '10.0.0.1')
  await client.delete(resources.pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 })
  await eventually('none', async () => (await addresses()).length === 0)
  await client.delete(resources.services, { namespace: 'default', name: 'web' })
  await eventually(
    'slice collected',
    async () => (await client.list(resources.endpointslices)).items.length === 0,
  )
  t.pass()
})
