import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { type Clock, systemClock } from '../../../src/base/index.ts'
import { ensurePki, subjectOf } from '../../../src/control/pki/index.ts'

const serviceCidr = '10.43.0.0/16'
const dayMs = 86_400_000

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'keelson-pki-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

function clockAt(nowMs: () => number): Clock {
  return { ...systemClock, nowMs }
}

test('a client and a server of the same authority accept each other, over TLS with names and addresses', async (t) => {
  const pki = await ensurePki({
    directory: await directory(t),
    serviceCidr,
    clock: systemClock,
    hosts: ['10.9.8.7'],
  })
  const { certificate: cert, key } = pki.server
  const server = createServer({ cert, key, ca: pki.authority, requestCert: true, rejectUnauthorized: true })
  t.teardown(() => server.close())
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = socket.getPeerX509Certificate()
    socket.end(JSON.stringify(peer && subjectOf(peer)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  for (const servername of ['localhost', 'kubernetes', 'kubernetes.default.svc.cluster.local']) {
    const client = connect({
      host: '127.0.0.1',
      port,
      servername,
      ca: pki.authority,
      cert: pki.admin.certificate,
      key: pki.admin.key,
    })
    const chunks: Buffer[] = []
    for await (const chunk of client) chunks.push(chunk as Buffer)
    t.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), {
      commonName: 'kubernetes-admin',
      organizations: ['system:masters'],
    })
  }
  const x509 = new X509Certificate(pki.server.certificate)
  for (const address of ['127.0.0.1', '::1', '10.43.0.1', '10.9.8.7'])
    t.truthy(x509.checkIP(address), address)
  t.is(x509.checkIP('10.43.0.2'), undefined)
})

test('a second call changes no file; a new host renews only the server', async (t) => {
  const path = await directory(t)
  const first = await ensurePki({ directory: path, serviceCidr, clock: systemClock })
  t.deepEqual(
    { ...(await ensurePki({ directory: path, serviceCidr, clock: systemClock })) }.server,
    first.server,
  )
  const second = await ensurePki({ directory: path, serviceCidr, clock: systemClock, hosts: ['api.example'] })
  t.not(second.server.certificate, first.server.certificate)
  t.is(second.admin.certificate, first.admin.certificate)
  t.is(second.authority, first.authority)
  t.is((await stat(path)).mode & 0o777, 0o700)
  t.is((await stat(join(path, 'ca.key'))).mode & 0o777, 0o600)
  t.is(await readFile(join(path, 'apiserver.crt'), 'utf8'), second.server.certificate)
})

test('kubelets get node names, groups and their addresses', async (t) => {
  const pki = await ensurePki({ directory: await directory(t), serviceCidr, clock: systemClock })
  const node = new X509Certificate((await pki.kubelet('n1', ['192.0.2.1'])).certificate)
  t.deepEqual(subjectOf(node), { commonName: 'system:node:n1', organizations: ['system:nodes'] })
  t.truthy(node.checkIP('192.0.2.1'))
  t.true(node.verify(new X509Certificate(pki.authority).publicKey))
})

test('certificates near their end are renewed, the authority with its key kept', async (t) => {
  let nowMs = Date.now()
  const clock = clockAt(() => nowMs)
  const path = await directory(t)
  const first = await ensurePki({ directory: path, serviceCidr, clock })
  nowMs += 340 * dayMs
  const second = await ensurePki({ directory: path, serviceCidr, clock })
  t.not(second.admin.certificate, first.admin.certificate)
  t.is(second.authority, first.authority)
  nowMs += 3300 * dayMs
  const third = await ensurePki({ directory: path, serviceCidr, clock })
  t.not(third.authority, first.authority)
  t.true(new X509Certificate(second.admin.certificate).verify(new X509Certificate(third.authority).publicKey))
})
