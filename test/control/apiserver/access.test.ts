import { connect as connectTcp } from 'node:net'
import test from 'ava'
import { ApiClient, createHttpTransport, resources, timestamp } from '../../../src/api/index.ts'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { startApiServer } from '../../../src/control/apiserver/index.ts'
import { ensurePki } from '../../../src/control/pki/index.ts'
import { startTestApiServer } from '../../support/api-server.ts'
import { call } from '../../support/raw-api.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

test('a certificate of another authority is answered with a 401 Status', async (t) => {
  await using cluster = await startTestApiServer()
  await using other = await temporaryDirectory()
  const foreign = await ensurePki({ directory: other.path, serviceCidr: '10.43.0.0/16', clock: systemClock })
  const answer = await call(cluster.remote(foreign.admin), 'GET', '/api/v1/pods')
  t.is(answer.status, 401)
  t.like(answer.body, { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized', code: 401 })
})

test('without a certificate: health and version, nothing else', async (t) => {
  await using cluster = await startTestApiServer()
  await using transport = createHttpTransport({ server: cluster.server.url, ca: cluster.pki.authority })
  t.is((await call(transport, 'GET', '/livez')).body, 'ok')
  t.is((await call(transport, 'GET', '/readyz?verbose')).status, 200)
  t.is((await call(transport, 'GET', '/version')).body.minor, '36')
  for (const path of ['/api', '/apis', '/openapi/v2', '/api/v1/pods', '/nowhere']) {
    t.is((await call(transport, 'GET', path)).status, 403, path)
  }
  t.is((await call(transport, 'GET', '/api/v1/pods', undefined, { authorization: 'Bearer x' })).status, 401)
})

test('a kubelet may do what a kubelet does, on its own node', async (t) => {
  await using cluster = await startTestApiServer()
  const client = new ApiClient(cluster.remote(await cluster.pki.kubelet('n1', ['127.0.0.1'])))
  await client.create(resources.nodes, { metadata: { name: 'n1' } })
  await client.patch(
    resources.nodes,
    { name: 'n1' },
    { type: 'strategic', patch: { status: { phase: 'Running' } } },
    { subresource: 'status' },
  )
  const lease = (name: string) => ({
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: 'n1', renewTime: timestamp(0).replace('Z', '.000000Z') },
  })
  await client.create(resources.leases, lease('n1'))
  await client.list(resources.pods)
  const denied = { code: 'PERMISSION_DENIED' }
  await t.throwsAsync(client.patch(resources.nodes, { name: 'n2' }, { type: 'merge', patch: {} }), denied)
  await t.throwsAsync(
    client.create(resources.configmaps, { metadata: { name: 'c', namespace: 'default' } }),
    denied,
  )
  await t.throwsAsync(client.delete(resources.namespaces, { name: 'x' }), {
    ...denied,
    message:
      'namespaces "x" is forbidden: User "system:node:n1" cannot delete resource "namespaces" in API group "" at the cluster scope',
  })
})

test('a taken port is a clear error', async (t) => {
  await using cluster = await startTestApiServer()
  const { pki, store, server } = cluster
  const again = { store, pki, address: '127.0.0.1', port: server.port, serviceCidr: '10.43.0.0/16' }
  await t.throwsAsync(startApiServer({ ...again, clock: systemClock, log: silentLogger }), {
    code: 'ALREADY_EXISTS',
    message: `another process listens on 127.0.0.1:${server.port} already`,
  })
})

test('what is no TLS does not hurt', async (t) => {
  await using cluster = await startTestApiServer()
  const socket = connectTcp(cluster.server.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.end('GET / HTTP/1.1\r\n\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  t.is((await call(cluster.remote(), 'GET', '/healthz')).body, 'ok')
})

test('a body above the limit is refused', async (t) => {
  await using cluster = await startTestApiServer()
  const body = Buffer.alloc(4 * 1024 * 1024, 0x20)
  const answer = await call(cluster.remote(), 'POST', '/api/v1/namespaces/default/configmaps', body)
  t.is(answer.status, 413)
  t.is(answer.body.reason, 'RequestEntityTooLarge')
})
