import test from 'ava'
import { ApiClient, type Deployment, resources } from '../../../src/api/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'

const deployment = (name: string): Deployment => ({
  metadata: { name, namespace: 'default', labels: { app: 'nginx' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'nginx' } },
    template: {
      metadata: { labels: { app: 'nginx' } },
      spec: { containers: [{ name: 'nginx', image: 'nginx:1.7.9', ports: [{ containerPort: 80 }] }] },
    },
  },
})

test('a deployment is created, read, listed, changed and deleted over TLS', async (t) => {
  await using cluster = await startTestApiServer()
  const client = new ApiClient(cluster.remote())
  const created = await client.create(resources.deployments, deployment('web'))
  t.is(created.spec.strategy?.type, 'RollingUpdate')
  t.is(created.metadata.generation, 1)
  t.deepEqual(created.spec.template.spec?.containers[0]?.ports, [{ containerPort: 80, protocol: 'TCP' }])
  t.deepEqual(await client.get(resources.deployments, { namespace: 'default', name: 'web' }), created)
  const list = await client.list(resources.deployments, { labelSelector: 'app=nginx' })
  t.deepEqual(list.items, [created])
  created.spec.replicas = 3
  const replaced = await client.replace(resources.deployments, created)
  t.is(replaced.metadata.generation, 2)
  await t.throwsAsync(client.replace(resources.deployments, created), { code: 'CONFLICT' })
  const patched = await client.patch(
    resources.deployments,
    { namespace: 'default', name: 'web' },
    {
      type: 'strategic',
      patch: { spec: { template: { spec: { containers: [{ name: 'nginx', image: 'nginx:1.9' }] } } } },
    },
  )
  t.is(patched.spec.template.spec?.containers[0]?.image, 'nginx:1.9')
  await client.delete(resources.deployments, { namespace: 'default', name: 'web' })
  await t.throwsAsync(client.get(resources.deployments, { namespace: 'default', name: 'web' }), {
    code: 'NOT_FOUND',
  })
})

test('the cluster starts with its namespaces and the kubernetes service', async (t) => {
  await using cluster = await startTestApiServer()
  const namespaces = await cluster.client.list(resources.namespaces)
  t.deepEqual(
    namespaces.items.map(({ metadata }) => metadata.name),
    ['default', 'kube-node-lease', 'kube-public', 'kube-system'],
  )
  const service = await cluster.client.get(resources.services, { namespace: 'default', name: 'kubernetes' })
  t.is(service.spec.clusterIP, '10.43.0.1')
  const slice = await cluster.client.get(resources.endpointslices, {
    namespace: 'default',
    name: 'kubernetes',
  })
  t.is(slice.ports?.[0]?.port, cluster.server.port)
})
