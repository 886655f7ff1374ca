import test from 'ava'
import { resources } from '../../../src/api/index.ts'
import { apiWithControllers } from '../../support/controllers.ts'
import { eventually } from '../../support/eventually.ts'

test('a namespace that goes is emptied, pods first, and only then let go', async (t) => {
  const api = await apiWithControllers(t)
  const { client } = api
  const namespace = 'team'
  await client.create(resources.namespaces, {
    metadata: { name: namespace },
    spec: { finalizers: ['kubernetes'] },
  })
  await client.create(resources.configmaps, { metadata: { name: 'settings', namespace } })
  await client.create(resources.configmaps, { metadata: { name: 'other', namespace: 'default' } })
  await client.create(resources.pods, {
    metadata: { name: 'web', namespace, finalizers: ['test/hold'] },
    spec: { containers: [] },
  })
  // The server keeps a namespace with finalizers in its spec; the API in memory knows only those of the metadata.
  await client.patch(
    resources.namespaces,
    { name: namespace },
    { type: 'merge', patch: { metadata: { finalizers: ['test/spec'] } } },
  )
  await client.delete(resources.namespaces, { name: namespace })
  await eventually('the pod is told to go', async () => {
    const pod = await client.find(resources.pods, { namespace, name: 'web' })
    return pod?.metadata.deletionTimestamp !== undefined
  })
  t.truthy(await client.find(resources.configmaps, { namespace, name: 'settings' }), 'outlives the pod')
  await client.patch(
    resources.pods,
    { namespace, name: 'web' },
    { type: 'merge', patch: { metadata: { finalizers: [] } } },
  )
  await client
    .delete(resources.pods, { namespace, name: 'web' }, { gracePeriodSeconds: 0 })
    .catch(() => undefined)
  await eventually('finalized', async () =>
    api.requests.some(
      ({ method, path }) => method === 'PUT' && path === `/api/v1/namespaces/${namespace}/finalize`,
    ),
  )
  t.is((await client.list(resources.configmaps, { namespace })).items.length, 0)
  t.is((await client.list(resources.configmaps, { namespace: 'default' })).items.length, 1)
})
