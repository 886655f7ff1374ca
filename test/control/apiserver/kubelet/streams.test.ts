import { once } from 'node:events'
import { createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import { type Pod, resources } from '../../../../src/api/index.ts'
import { startTestApiServer, type TestApiServer } from '../../../support/api-server.ts'
import { call } from '../../../support/raw-api.ts'

/** A kubelet that says what it was asked, and echoes upgraded connections. */
async function startKubelet(cluster: TestApiServer): Promise<{ port: number; close: () => void }> {
  const tls = await cluster.pki.kubelet('n1', ['127.0.0.1'])
  const server = createServer(
    {
      key: tls.key,
      cert: tls.certificate,
      ca: cluster.pki.authority,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      if (request.url?.includes('/missing')) response.writeHead(400)
      const user = (request.socket as TLSSocket).getPeerCertificate().subject.CN
      response.end(`${request.method} ${request.url} by ${user}\n`)
    },
  )
  server.on('upgrade', (request, socket: Duplex) => {
    socket.on('error', () => undefined)
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${request.headers.upgrade}\r\n\r\n`,
    )
    socket.write(`${request.method} ${request.url}\n`)
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function clusterWithPod(
  cluster: TestApiServer,
  port: number,
  containers: Pod['spec']['containers'],
): Promise<void> {
  const { client } = cluster
  await client.create(resources.nodes, { metadata: { name: 'n1' } })
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  }
  await client.patch(
    resources.nodes,
    { name: 'n1' },
    { type: 'merge', patch: { status } },
    { subresource: 'status' },
  )
  await client.create(resources.pods, {
    metadata: { name: 'p', namespace: 'default' },
    spec: { nodeName: 'n1', containers },
  })
}

const path = '/api/v1/namespaces/default/pods/p'

test('logs come from the pod’s kubelet, with the server’s own certificate', async (t) => {
  await using cluster = await startTestApiServer()
  const kubelet = await startKubelet(cluster)
  t.teardown(kubelet.close)
  await clusterWithPod(cluster, kubelet.port, [{ name: 'c', image: 'i' }])
  const answer = await call(cluster.remote(), 'GET', `${path}/log?tailLines=5&follow=true&unknown=1`)
  t.is(
    answer.body,
    'GET /containerLogs/default/p/c?tailLines=5&follow=true by kube-apiserver-kubelet-client\n',
  )
  t.is(
    (await call(cluster.remote(), 'GET', `${path}/log?container=x`)).body.message,
    'container x is not valid for pod p',
  )
  t.is((await call(cluster.remote(), 'GET', `${path}/log?tailLines=-1`)).status, 400)
  kubelet.close()
  const gone = await call(cluster.remote(), 'GET', `${path}/log`)
  t.is(gone.status, 503)
  t.regex(gone.body.message, /^the kubelet at 127\.0\.0\.1:\d+ cannot be reached/)
})

test('of several containers one must be named', async (t) => {
  await using cluster = await startTestApiServer()
  await clusterWithPod(cluster, 1, [
    { name: 'a', image: 'i' },
    { name: 'b', image: 'i' },
  ])
  const answer = await call(cluster.remote(), 'GET', `${path}/log`)
  t.is(answer.body.message, 'a container name must be specified for pod p, choose one of: [a b]')
})

test('exec is spliced through; without an upgrade it is refused', async (t) => {
  await using cluster = await startTestApiServer()
  const kubelet = await startKubelet(cluster)
  t.teardown(kubelet.close)
  await clusterWithPod(cluster, kubelet.port, [{ name: 'c', image: 'i' }])
  const plain = await call(cluster.remote(), 'POST', `${path}/exec?command=ls`)
  t.is(plain.body.message, 'Upgrade request required')
  const first = await upgraded(
    cluster,
    `${path}/exec?command=ls&command=-l&stdin=true&stdout=true`,
    'hello\n',
  )
  t.is(first, 'POST /exec/default/p/c?input=1&output=1&command=ls&command=-l\nhello\n')
  t.regex(
    await upgraded(cluster, `${path}/portforward?ports=80`, 'x'),
    /^POST \/portForward\/default\/p\?port=80\nx/,
  )
})

test('an upgrade is authorized like any request', async (t) => {
  await using cluster = await startTestApiServer()
  const node = await cluster.pki.kubelet('n1', ['127.0.0.1'])
  await t.throwsAsync(upgraded(cluster, `${path}/exec?command=ls`, '', node), { message: '403' })
})

/** Sends a text over an upgraded connection and gives everything that came back up to its echo. */
async function upgraded(
  cluster: TestApiServer,
  url: string,
  text: string,
  identity = cluster.pki.admin,
): Promise<string> {
  const outgoing = httpsRequest(`${cluster.server.url}${url}`, {
    method: 'POST',
    ca: cluster.pki.authority,
    cert: identity.certificate,
    key: identity.key,
    agent: false,
    headers: { connection: 'upgrade', upgrade: 'SPDY/3.1' },
  })
  outgoing.end()
  const socket = await new Promise<Duplex>((resolve, reject) => {
    outgoing.once('upgrade', (_response, duplex) => resolve(duplex))
    outgoing.once('response', ({ statusCode }) => reject(new Error(String(statusCode))))
    outgoing.once('error', reject)
  })
  socket.write(text)
  let answer = ''
  for await (const chunk of socket) {
    answer += String(chunk)
    if (answer.endsWith(`\n${text}`)) break
  }
  return answer
}
