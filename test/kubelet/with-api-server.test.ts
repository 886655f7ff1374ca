/** The kubelet against the real API server, over TLS with a node's own certificate; the runtime is in memory. */
import test from 'ava'
import { ApiClient, hasCondition, resources } from '../../src/api/index.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createKubelet } from '../../src/kubelet/index.ts'
import { startTestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { FakeCri } from '../support/fake-cri.ts'
import { scratchDirectory } from '../support/scratch-directory.ts'

test('register, run, report, delete: with the rights of a node and no more', async (t) => {
  await using control = await startTestApiServer()
  const identity = await control.pki.kubelet('n1', ['127.0.0.1'])
  const cri = new FakeCri(systemClock)
  cri.images.add('nginx:1.7.9')
  const kubelet = await createKubelet({
    nodeName: 'n1',
    client: new ApiClient(control.remote(identity)),
    runtime: cri.runtime,
    image: cri.image,
    dataDirectory: await scratchDirectory(t),
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    serverTls: { ...identity, clientCa: control.pki.authority },
    port: 0,
    clock: systemClock,
    log: silentLogger,
  })
  await kubelet.start(new AbortController().signal)
  const node = await control.client.get(resources.nodes, { name: 'n1' })
  t.true(hasCondition(node.status?.conditions, 'Ready'))

  const ref = { namespace: 'default', name: 'web' }
  await control.client.create(resources.configmaps, {
    metadata: { namespace: 'default', name: 'settings' },
    data: { COLOUR: 'green' },
  })
  await control.client.create(resources.pods, {
    metadata: ref,
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'nginx', image: 'nginx:1.7.9', envFrom: [{ configMapRef: { name: 'settings' } }] },
      ],
    },
  })
  const pod = await eventually('web is Ready', async () => {
    const found = await control.client.get(resources.pods, ref)
    return hasCondition(found.status?.conditions, 'Ready') && found
  })
  t.is(pod.status?.phase, 'Running')
  const environment = cri.running('nginx').config.envs.map(({ key, value }) => `${key}=${value}`)
  t.true(environment.includes('COLOUR=green'))
  t.true(environment.some((one) => one.startsWith('KUBERNETES_SERVICE_HOST=')))
  await eventually('the events are there', async () => {
    const { items } = await control.client.list(resources.events, { namespace: 'default' })
    return ['Pulled', 'Created', 'Started'].every((one) => items.some(({ reason }) => reason === one))
  })
  await eventually('the lease is there', () =>
    control.client.find(resources.leases, { namespace: 'kube-node-lease', name: 'n1' }),
  )

  await control.client.delete(resources.pods, ref)
  await eventually('web is gone', async () => (await control.client.find(resources.pods, ref)) === undefined)
  await eventually('nothing of it is left', () => cri.sandboxes.size === 0 && cri.containers.size === 0)
  await kubelet.stop()
  const after = await control.client.get(resources.nodes, { name: 'n1' })
  t.false(hasCondition(after.status?.conditions, 'Ready'))
})
