import test from 'ava'
import { resources, type Service } from '../../../src/api/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'
import { eventually } from '../../support/eventually.ts'

const service = (name: string, spec: Partial<Service['spec']> = {}): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }], ...spec },
})
const at = (name: string) => ({ namespace: 'default', name })

test('services made at the same time get addresses of their own', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      client.create(resources.services, service(`s${i}`, { type: 'NodePort' })),
    ),
  )
  t.is(new Set(made.map(({ spec }) => spec.clusterIP)).size, 20)
  t.is(new Set(made.map(({ spec }) => spec.ports?.[0]?.nodePort)).size, 20)
  for (const { spec } of made) t.regex(spec.clusterIP ?? '', /^10\.43\.\d+\.\d+$/)
})

test('an address is taken until its service goes', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const fixed = { clusterIP: '10.43.0.77' }
  await client.create(resources.services, service('a', fixed))
  await t.throwsAsync(client.create(resources.services, service('b', fixed)), {
    message: /spec.clusterIPs\[0\]: Invalid value: "10.43.0.77": provided IP is already allocated/,
  })
  await t.throwsAsync(client.create(resources.services, service('b', { clusterIP: '10.99.0.1' })), {
    message: /not in the valid range. The range of valid IPs is 10.43.0.0\/16/,
  })
  await client.delete(resources.services, at('a'))
  t.is((await client.create(resources.services, service('b', fixed))).spec.clusterIP, '10.43.0.77')
})

test('an update keeps address and node port; a change of type gives the port back', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const made = await client.create(
    resources.services,
    service('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30123 }] }),
  )
  const updated = await client.replace(
    resources.services,
    service('a', { type: 'NodePort', ports: [{ port: 80, targetPort: 8080 }] }),
  )
  t.is(updated.spec.clusterIP, made.spec.clusterIP)
  t.is(updated.spec.ports?.[0]?.nodePort, 30123)
  await t.throwsAsync(
    client.create(
      resources.services,
      service('b', { type: 'NodePort', ports: [{ port: 81, nodePort: 30123 }] }),
    ),
    {
      message: /provided port is already allocated/,
    },
  )
  const plain = await client.replace(resources.services, service('a', { type: 'ClusterIP' }))
  t.is(plain.spec.ports?.[0]?.nodePort, undefined)
  await client.create(
    resources.services,
    service('b', { type: 'NodePort', ports: [{ port: 81, nodePort: 30123 }] }),
  )
  await t.throwsAsync(
    client.patch(resources.services, at('a'), { type: 'merge', patch: { spec: { clusterIP: '10.43.9.9' } } }),
    {
      message: /may not change once set/,
    },
  )
})

test('headless and external services take no address', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  t.is((await client.create(resources.services, service('h', { clusterIP: 'None' }))).spec.clusterIP, 'None')
  const external = await client.create(
    resources.services,
    service('e', { type: 'ExternalName', externalName: 'example.com' }),
  )
  t.is(external.spec.clusterIP, undefined)
})

test('the kubernetes service comes back when it is deleted', async (t) => {
  await using cluster = await startTestApiServer()
  const { client } = cluster
  const before = await client.get(resources.services, at('kubernetes'))
  await client.delete(resources.services, at('kubernetes'))
  const after = await eventually('the service is back', () =>
    client.find(resources.services, at('kubernetes')),
  )
  t.not(after.metadata.uid, before.metadata.uid)
  t.is(after.spec.clusterIP, '10.43.0.1')
})
