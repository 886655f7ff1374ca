import test from 'ava'
import {
  type ApiClient,
  type Deployment,
  type Pod,
  resources,
  statusOfError,
} from '../../../src/api/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'
import { call } from '../../support/raw-api.ts'

const pod = (name: string, more: Partial<Pod['spec']> = {}, metadata: Pod['metadata'] = {}): Pod => ({
  metadata: { name, namespace: 'default', ...metadata },
  spec: { containers: [{ name: 'c', image: 'busybox' }], ...more },
})
const podAt = { namespace: 'default', name: 'p' }
const configMap = (name: string, metadata = {}) => ({
  metadata: { name, namespace: 'default', ...metadata },
  data: { a: 'b' },
})

async function bind(client: ApiClient, name: string, nodeName: string): Promise<void> {
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name },
    target: { kind: 'Node', name: nodeName },
  }
  await client.postSubresource(resources.pods, { namespace: 'default', name }, 'binding', body)
}

test('a pod gets Kubernetes’ defaults and keeps the status that only the server writes', async (t) => {
  await using cluster = await startTestApiServer()
  const created = await cluster.client.create(resources.pods, { ...pod('p'), status: { phase: 'Running' } })
  t.is(created.status?.phase, 'Pending')
  t.is(created.status?.qosClass, 'BestEffort')
  const { spec } = created
  t.is(spec.restartPolicy, 'Always')
  t.is(spec.dnsPolicy, 'ClusterFirst')
  t.is(spec.terminationGracePeriodSeconds, 30)
  t.is(spec.enableServiceLinks, true)
  t.is(spec.containers[0]?.imagePullPolicy, 'Always')
  t.deepEqual(
    spec.tolerations?.map(({ key, tolerationSeconds }) => [key, tolerationSeconds]),
    [
      ['node.kubernetes.io/not-ready', 300],
      ['node.kubernetes.io/unreachable', 300],
    ],
  )
  created.status = { phase: 'Running', podIP: '10.42.0.7' }
  const replaced = await cluster.client.replace(resources.pods, created)
  t.is(replaced.status?.phase, 'Pending')
  const withStatus = await cluster.client.replaceStatus(resources.pods, {
    ...created,
    metadata: { ...created.metadata, resourceVersion: replaced.metadata.resourceVersion },
    spec: { containers: [] },
  })
  t.is(withStatus.status?.podIP, '10.42.0.7')
  t.is(withStatus.spec.containers.length, 1)
  t.is(withStatus.metadata.generation, 1)
})

test('a write that changes nothing takes no new version', async (t) => {
  await using cluster = await startTestApiServer()
  const created = await cluster.client.create(resources.pods, pod('p'))
  const again = await cluster.client.patch(resources.pods, podAt, {
    type: 'merge',
    patch: { spec: { priority: 0 } },
  })
  t.is(again.metadata.resourceVersion, created.metadata.resourceVersion)
})

test('a bound pod ends in two steps, an unbound one at once', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  await client.create(resources.pods, pod('p'))
  await bind(client, 'p', 'n1')
  await t.throwsAsync(bind(client, 'p', 'n2'), { code: 'CONFLICT', message: /already assigned to node "n1"/ })
  await client.delete(resources.pods, podAt)
  const going = await client.get(resources.pods, podAt)
  t.is(going.metadata.deletionGracePeriodSeconds, 30)
  const startMs = Date.parse(going.metadata.creationTimestamp ?? '')
  t.true(Date.parse(going.metadata.deletionTimestamp ?? '') - startMs >= 29_000)
  t.is(going.status?.conditions?.[0]?.type, 'PodScheduled')
  await client.delete(resources.pods, podAt, { gracePeriodSeconds: 60 })
  t.is((await client.get(resources.pods, podAt)).metadata.deletionGracePeriodSeconds, 30)
  await client.delete(resources.pods, podAt, { gracePeriodSeconds: 5 })
  t.is((await client.get(resources.pods, podAt)).metadata.deletionGracePeriodSeconds, 5)
  const uid = 'another'
  await t.throwsAsync(
    client.delete(resources.pods, podAt, { gracePeriodSeconds: 0, preconditions: { uid } }),
    {
      code: 'CONFLICT',
    },
  )
  await client.delete(resources.pods, podAt, { gracePeriodSeconds: 0 })
  t.is(await client.find(resources.pods, podAt), undefined)
  await client.create(resources.pods, pod('q'))
  await client.delete(resources.pods, { namespace: 'default', name: 'q' })
  t.is(await client.find(resources.pods, { namespace: 'default', name: 'q' }), undefined)
})

test('finalizers keep an object until the last is gone; policies become finalizers', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const at = { namespace: 'default', name: 'c' }
  await client.create(resources.configmaps, configMap('c', { finalizers: ['example.com/hold'] }))
  await client.delete(resources.configmaps, at, { propagationPolicy: 'Foreground' })
  const held = await client.get(resources.configmaps, at)
  t.deepEqual(held.metadata.finalizers, ['example.com/hold', 'foregroundDeletion'])
  t.truthy(held.metadata.deletionTimestamp)
  const more = { metadata: { finalizers: [...(held.metadata.finalizers ?? []), 'example.com/late'] } }
  await t.throwsAsync(client.patch(resources.configmaps, at, { type: 'merge', patch: more }), {
    message: /no new finalizers can be added/,
  })
  await client.patch(resources.configmaps, at, { type: 'merge', patch: { metadata: { finalizers: null } } })
  t.is(await client.find(resources.configmaps, at), undefined)
})

test('a namespace ends when its finalizer is taken off; nothing new enters meanwhile', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const created = await client.create(resources.namespaces, { metadata: { name: 'x' } })
  t.deepEqual(created.spec?.finalizers, ['kubernetes'])
  t.is(created.metadata.labels?.['kubernetes.io/metadata.name'], 'x')
  await client.delete(resources.namespaces, { name: 'x' })
  const going = await client.get(resources.namespaces, { name: 'x' })
  t.is(going.status?.phase, 'Terminating')
  const late = { metadata: { name: 'c', namespace: 'x' } }
  await t.throwsAsync(client.create(resources.configmaps, late), {
    message: /because it is being terminated/,
  })
  await client.replaceSubresource(resources.namespaces, { ...going, spec: { finalizers: [] } }, 'finalize')
  t.is(await client.find(resources.namespaces, { name: 'x' }), undefined)
  await t.throwsAsync(client.create(resources.configmaps, late), { message: 'namespaces "x" not found' })
  await t.throwsAsync(client.delete(resources.namespaces, { name: 'default' }), { code: 'PERMISSION_DENIED' })
})

test('generated names differ; names that break the rule are refused with the field', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const make = () =>
    client.create(resources.configmaps, { metadata: { generateName: 'c-', namespace: 'default' } })
  const names = (await Promise.all([make(), make(), make()])).map(({ metadata }) => metadata.name ?? '')
  t.is(new Set(names).size, 3)
  for (const name of names) t.regex(name, /^c-[a-z0-9]{5}$/)
  const error = await t.throwsAsync(client.create(resources.configmaps, configMap('UPPER')))
  t.is(statusOfError(error)?.reason, 'Invalid')
  t.is(statusOfError(error)?.details?.causes?.[0]?.field, 'metadata.name')
})

test('dry runs answer as if, and leave nothing', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const query = { dryRun: 'All' }
  const revision = cluster.store.revision
  const answered = await client.create(resources.pods, pod('p'), { query })
  t.is(answered.spec.restartPolicy, 'Always')
  const service = { metadata: { name: 's', namespace: 'default' }, spec: { ports: [{ port: 80 }] } }
  t.truthy((await client.create(resources.services, service, { query })).spec.clusterIP)
  t.is(cluster.store.revision, revision)
  await client.create(resources.pods, pod('p'))
  await client.delete(resources.pods, podAt, { query })
  t.truthy(await client.find(resources.pods, podAt))
})

test('field validation: strict refuses, warn warns, ignore is silent; all drop the field', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  const text = (name: string) => `{"metadata":{"name":"${name}","name":"${name}"},"data":{},"extra":1}`
  const path = '/api/v1/namespaces/default/configmaps'
  const strict = await call(transport, 'POST', `${path}?fieldValidation=Strict`, text('a'))
  t.is(strict.status, 400)
  t.regex(
    strict.body.message,
    /strict decoding error: unknown field "extra", duplicate field "metadata.name"$/,
  )
  const warned = await call(transport, 'POST', `${path}?fieldValidation=Warn`, text('b'))
  t.is(warned.status, 201)
  t.is(
    warned.headers['warning'],
    '299 - "unknown field \\"extra\\"", 299 - "duplicate field \\"metadata.name\\""',
  )
  t.false('extra' in warned.body)
  const ignored = await call(transport, 'POST', `${path}?fieldValidation=Ignore`, text('c'))
  t.is(ignored.headers['warning'], undefined)
})

test('bad requests are Status objects that say what is wrong', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  const path = '/apis/apps/v1/namespaces/default/deployments'
  const cases: [string, number, string, RegExp][] = [
    ['{', 400, 'BadRequest', /not valid JSON/],
    ['[]', 400, 'BadRequest', /must be of type object/],
    ['{"kind":"Pod","apiVersion":"v1"}', 400, 'BadRequest', /does not match the expected API version/],
    ['{"spec":{"replicas":"two"}}', 400, 'BadRequest', /cannot unmarshal string into field spec.replicas/],
    ['{"metadata":{"name":"d","namespace":"other"}}', 400, 'BadRequest', /namespace of the provided object/],
    ['{"metadata":{"name":"d"},"spec":{"replicas":-1}}', 422, 'Invalid', /spec.replicas: Invalid value: -1/],
  ]
  for (const [body, status, reason, message] of cases) {
    const answer = await call(transport, 'POST', path, body)
    t.is(answer.status, status, body)
    t.like(answer.body, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code: status })
    t.regex(answer.body.message, message)
  }
  const yaml = { 'content-type': 'application/yaml' }
  t.is((await call(transport, 'POST', path, 'a: [', yaml)).status, 400)
  t.is((await call(transport, 'POST', path, 'x', { 'content-type': 'text/csv' })).status, 415)
  t.is((await call(transport, 'GET', '/apis/nope/v1/things')).body.reason, 'NotFound')
  t.is((await call(transport, 'PATCH', path, {})).body.reason, 'MethodNotAllowed')
  t.is((await call(transport, 'GET', `${path}/x`)).body.message, 'deployments.apps "x" not found')
})

test('what may not change is refused: selectors, pod specs, immutable maps', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const labels = { app: 'a' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const deployment: Deployment = {
    metadata: { name: 'd', namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template },
  }
  const mismatch = { ...deployment, spec: { ...deployment.spec, selector: { matchLabels: { app: 'b' } } } }
  await t.throwsAsync(client.create(resources.deployments, mismatch), {
    message: /`selector` does not match template `labels`/,
  })
  await client.create(resources.deployments, deployment)
  const patch = {
    spec: { selector: { matchLabels: { x: 'y' } }, template: { metadata: { labels: { x: 'y' } } } },
  }
  await t.throwsAsync(
    client.patch(resources.deployments, { namespace: 'default', name: 'd' }, { type: 'merge', patch }),
    { message: /spec.selector: Invalid value: .*field is immutable/ },
  )
  await client.create(resources.pods, pod('p'))
  await t.throwsAsync(
    client.patch(resources.pods, podAt, { type: 'merge', patch: { spec: { hostNetwork: true } } }),
    { message: /pod updates may not change fields other than/ },
  )
  await client.create(resources.configmaps, { ...configMap('c'), immutable: true })
  await t.throwsAsync(
    client.patch(
      resources.configmaps,
      { namespace: 'default', name: 'c' },
      { type: 'merge', patch: { data: { a: 'z' } } },
    ),
    { message: /field is immutable when `immutable` is set/ },
  )
})

test('patches of every kind; prototypes stay out of reach', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  await cluster.client.create(resources.configmaps, configMap('c'))
  const path = '/api/v1/namespaces/default/configmaps/c'
  const json = { 'content-type': 'application/json-patch+json' }
  const patched = await call(transport, 'PATCH', path, [{ op: 'add', path: '/data/x', value: 'y' }], json)
  t.deepEqual(patched.body.data, { a: 'b', x: 'y' })
  const failing = await call(transport, 'PATCH', path, [{ op: 'test', path: '/data/x', value: 'no' }], json)
  t.is(failing.status, 422)
  const unsafe = await call(
    transport,
    'PATCH',
    path,
    [{ op: 'add', path: '/data/__proto__/z', value: 'y' }],
    json,
  )
  t.is(unsafe.status, 400)
  const stale = { metadata: { resourceVersion: '1' }, data: { a: 'c' } }
  const merge = { 'content-type': 'application/merge-patch+json' }
  t.is((await call(transport, 'PATCH', path, stale, merge)).status, 409)
  t.is(
    (await call(transport, 'PATCH', path, {}, { 'content-type': 'application/apply-patch+yaml' })).status,
    415,
  )
  t.is((await call(transport, 'PATCH', path, {}, { 'content-type': 'text/plain' })).status, 415)
})

test('events are kept an hour and shown by both of their groups', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  await client.create(resources.eventsV1, {
    metadata: { name: 'e', namespace: 'default' },
    regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    note: 'hello',
    reason: 'Because',
    type: 'Normal',
    action: 'Do',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/c',
    reportingInstance: 'c-1',
  })
  const list = await client.list(resources.events, { fieldSelector: 'involvedObject.name=p,reason=Because' })
  t.is(list.items[0]?.message, 'hello')
  const shown = await client.get(resources.eventsV1, { namespace: 'default', name: 'e' })
  t.is(shown.note, 'hello')
  t.is(shown.apiVersion, 'events.k8s.io/v1')
  const { entry } = await cluster.store.get('/registry/events/default/e')
  t.not(entry?.lease, 0)
})

test('many writers of one object: every patch without a version is applied', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  await client.create(resources.configmaps, configMap('c'))
  const at = { namespace: 'default', name: 'c' }
  const keys = Array.from({ length: 8 }, (_, i) => `k${i}`)
  await Promise.all(
    keys.map((key) =>
      client.patch(resources.configmaps, at, { type: 'merge', patch: { data: { [key]: 'v' } } }),
    ),
  )
  const { data = {} } = await client.get(resources.configmaps, at)
  for (const key of keys) t.is(data[key], 'v', key)
})
