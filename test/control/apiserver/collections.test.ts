import test from 'ava'
import { ApiClient, type ConfigMap, resources } from '../../../src/api/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'
import { eventually } from '../../support/eventually.ts'
import { call, watchEvents } from '../../support/raw-api.ts'

const path = '/api/v1/namespaces/default/configmaps'
const map = (name: string, labels = {}): ConfigMap => ({
  metadata: { name, namespace: 'default', labels },
  data: {},
})

test('pages show the state of the first one, and go on without it when it is gone', async (t) => {
  await using cluster = await startTestApiServer()
  const { client, store } = cluster
  const transport = cluster.server.localTransport()
  for (let i = 0; i < 7; i++) await client.create(resources.configmaps, map(`m${i}`))
  const first = await call(transport, 'GET', `${path}?limit=3`)
  t.is(first.body.metadata.remainingItemCount, 4)
  const token = encodeURIComponent(first.body.metadata.continue)
  await client.create(resources.configmaps, map('m9'))
  const second = await call(transport, 'GET', `${path}?limit=3&continue=${token}`)
  t.deepEqual(names(second), ['m3', 'm4', 'm5'])
  t.is(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion)
  await store.compact(store.revision)
  const expired = await call(transport, 'GET', `${path}?limit=3&continue=${token}`)
  t.is(expired.status, 410)
  t.is(expired.body.reason, 'Expired')
  const newest = encodeURIComponent(expired.body.metadata.continue)
  t.deepEqual(names(await call(transport, 'GET', `${path}?limit=9&continue=${newest}`)), [
    'm3',
    'm4',
    'm5',
    'm6',
    'm9',
  ])
  t.is((await call(transport, 'GET', `${path}?continue=nonsense`)).status, 400)
})

test('selectors choose, also across pages; unknown fields are refused', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  for (let i = 0; i < 6; i++)
    await cluster.client.create(resources.configmaps, map(`m${i}`, { even: String(i % 2 === 0) }))
  t.deepEqual(names(await call(transport, 'GET', `${path}?labelSelector=even%3Dtrue&limit=2`)), ['m0', 'm2'])
  t.deepEqual(names(await call(transport, 'GET', `${path}?labelSelector=even+notin+(true)`)), [
    'm1',
    'm3',
    'm5',
  ])
  t.deepEqual(names(await call(transport, 'GET', `${path}?fieldSelector=metadata.name%3Dm4`)), ['m4'])
  t.deepEqual(
    names(await call(transport, 'GET', `${path}?fieldSelector=metadata.name!%3Dm4,metadata.name!%3Dm5`)),
    ['m0', 'm1', 'm2', 'm3'],
  )
  t.regex(
    (await call(transport, 'GET', `${path}?fieldSelector=data.x%3D1`)).body.message,
    /field label not supported: data.x/,
  )
  t.is((await call(transport, 'GET', `${path}?labelSelector=a%3D%3D%3D`)).status, 400)
})

test('versions of a list: exact, not older, too new, forbidden combinations', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  await cluster.client.create(resources.configmaps, map('a'))
  const at = cluster.store.revision
  await cluster.client.create(resources.configmaps, map('b'))
  t.deepEqual(
    names(await call(transport, 'GET', `${path}?resourceVersion=${at}&resourceVersionMatch=Exact`)),
    ['a'],
  )
  t.deepEqual(
    names(await call(transport, 'GET', `${path}?resourceVersion=${at}&resourceVersionMatch=NotOlderThan`)),
    ['a', 'b'],
  )
  t.deepEqual(names(await call(transport, 'GET', `${path}?resourceVersion=0`)), ['a', 'b'])
  t.is((await call(transport, 'GET', `${path}?resourceVersion=999999`)).status, 504)
  t.is((await call(transport, 'GET', `${path}?resourceVersionMatch=Exact`)).status, 400)
})

test('a selector watch sees objects enter and leave', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const transport = cluster.remote()
  await client.create(resources.configmaps, map('a', { on: 'yes' }))
  const from = cluster.store.revision
  const events = watchEvents(transport, `${path}?labelSelector=on%3Dyes&resourceVersion=${from}`, 4)
  const at = { namespace: 'default', name: 'a' }
  const set = (on: string) =>
    client.patch(resources.configmaps, at, { type: 'merge', patch: { metadata: { labels: { on } } } })
  await set('no')
  const back = await set('yes')
  await client.patch(resources.configmaps, at, { type: 'merge', patch: { data: { x: 'y' } } })
  await client.create(resources.configmaps, map('other'))
  await client.delete(resources.configmaps, at)
  const seen = await events
  t.deepEqual(
    seen.map(({ type }) => type),
    ['DELETED', 'ADDED', 'MODIFIED', 'DELETED'],
  )
  t.is(seen[0].object.metadata.labels.on, 'yes')
  t.is(seen[0].object.metadata.resourceVersion, String(from + 1))
  t.deepEqual(seen[1].object, back)
  t.is(seen[3].object.metadata.resourceVersion, String(cluster.store.revision))
})

test('a watch without a version begins with what is there; WatchList ends it with a bookmark', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.remote()
  await cluster.client.create(resources.configmaps, map('a'))
  const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  const [added, bookmark] = await watchEvents(transport, `${path}?${query}`, 2)
  t.is(added.type, 'ADDED')
  t.is(bookmark.type, 'BOOKMARK')
  t.is(bookmark.object.metadata.annotations['k8s.io/initial-events-end'], 'true')
  t.is((await watchEvents(transport, path, 1))[0].object.metadata.name, 'a')
  t.is((await call(transport, 'GET', `${path}?watch=1&sendInitialEvents=true`)).status, 400)
  const forgotten = cluster.store.revision
  await cluster.client.create(resources.configmaps, map('b'))
  await cluster.store.compact(cluster.store.revision)
  const old = await call(transport, 'GET', `${path}?watch=1&resourceVersion=${forgotten - 1}`)
  t.is(old.status, 410)
  t.is(old.body.reason, 'Expired')
})

test('a watch ends at its time and with its reader; no store watch is left behind', async (t) => {
  await using cluster = await startTestApiServer()
  const client = new ApiClient(cluster.remote())
  const seen: string[] = []
  for await (const event of client.watch(resources.configmaps, { timeoutSeconds: 1 })) seen.push(event.type)
  t.deepEqual(seen, [])
  const stop = new AbortController()
  const reading = (async () => {
    for await (const event of client.watch(resources.configmaps, { signal: stop.signal }))
      seen.push(event.type)
  })()
  await eventually('first event', async () => {
    await client.create(resources.configmaps, map(`m${performance.now().toFixed(3).replace('.', '-')}`))
    return seen.length > 0
  })
  stop.abort()
  await t.throwsAsync(reading, { code: 'CANCELLED' })
})

test('the same table for a list and for a watch', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.remote()
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
  await cluster.client.create(resources.configmaps, { ...map('a'), data: { x: '1', y: '2' } })
  const list = await call(transport, 'GET', path, undefined, { accept })
  t.is(list.headers['content-type'], 'application/json;as=Table;g=meta.k8s.io;v=v1')
  t.deepEqual(
    list.body.columnDefinitions.map((one: { name: string }) => one.name),
    ['Name', 'Data', 'Age'],
  )
  t.deepEqual(list.body.rows[0].cells.slice(0, 2), ['a', 2])
  t.is(list.body.rows[0].object.kind, 'PartialObjectMetadata')
  const [event] = await watchEvents(transport, path, 1, { accept })
  t.is(event.object.kind, 'Table')
  t.deepEqual(event.object.rows[0].cells.slice(0, 2), ['a', 2])
  const none = await call(transport, 'GET', `${path}?includeObject=None`, undefined, { accept })
  t.false('object' in none.body.rows[0])
  const beta = await call(transport, 'GET', path, undefined, { accept: accept.replace('v=v1', 'v=v1beta1') })
  t.is(beta.body.apiVersion, 'meta.k8s.io/v1beta1')
  const partial = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
  const metadata = await call(transport, 'GET', path, undefined, { accept: partial })
  t.is(metadata.body.kind, 'PartialObjectMetadataList')
  t.deepEqual(Object.keys(metadata.body.items[0]).sort(), ['apiVersion', 'kind', 'metadata'])
})

test('a collection is deleted by selector', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  for (const name of ['a', 'b', 'c'])
    await client.create(resources.configmaps, map(name, { group: name === 'c' ? 'y' : 'x' }))
  await client.deleteCollection(resources.configmaps, { namespace: 'default', labelSelector: 'group=x' })
  t.deepEqual(
    (await client.list(resources.configmaps)).items.map(({ metadata }) => metadata.name),
    ['c'],
  )
})

function names(answer: { body: { items: { metadata: { name: string } }[] } }): string[] {
  return answer.body.items.map(({ metadata }) => metadata.name)
}
