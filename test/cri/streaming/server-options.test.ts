import { once } from 'node:events'
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import type { StreamSession } from '../../../cri/service.ts'
import { type ServeStreamingOptions, serveStreaming } from '../../../cri/streaming/index.ts'
import { gather } from '../../support/gather.ts'
import { selfSigned } from '../../support/self-signed.ts'
import { SpdyClient } from '../../support/spdy-client.ts'

async function start(t: ExecutionContext, options: ServeStreamingOptions) {
  const server = await serveStreaming(options)
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}

const output = { stdin: false, stdout: true, stderr: false, tty: false }
const hello: StreamSession = async ({ stdout }) => {
  stdout?.write('hello')
  return { exitCode: 0 }
}

/** What came on each channel until the end. */
async function heard(socket: WebSocket): Promise<Map<number, Buffer>> {
  const channels = new Map<number, Buffer>()
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1
    channels.set(channel, Buffer.concat([channels.get(channel) ?? Buffer.alloc(0), data.subarray(1)]))
  })
  await once(socket, 'close')
  return channels
}

test('TLS: with a certificate nothing else is spoken', async (t) => {
  const tls = await selfSigned()
  const server = await start(t, { tls })
  t.regex(server.url, /^https:\/\/127\.0\.0\.1:\d+$/)
  const socket = new WebSocket(server.exec(output, hello), ['v5.channel.k8s.io'], { ca: tls.cert })
  t.is((await heard(socket)).get(1)?.toString(), 'hello')
  const plain = new WebSocket(server.exec(output, hello).replace('https', 'http'), ['v5.channel.k8s.io'])
  await t.throwsAsync(once(plain, 'open'))
})

test('TLS: another certificate, and clients that must have one of the right authority', async (t) => {
  const [first, second, client] = await Promise.all([selfSigned(), selfSigned(), selfSigned()])
  const server = await start(t, { tls: { ...first, ca: client.cert } })
  const dial = (options: { ca: string; cert?: string; key?: string }) =>
    new WebSocket(server.exec(output, hello), ['v5.channel.k8s.io'], options)
  await t.throwsAsync(once(dial({ ca: first.cert }), 'open'))
  await t.throwsAsync(once(dial({ ...second, ca: first.cert }), 'open'))
  t.is((await heard(dial({ ...client, ca: first.cert }))).get(1)?.toString(), 'hello')
  server.renew({ ...second, ca: client.cert })
  await t.throwsAsync(once(dial({ ...client, ca: first.cert }), 'open'))
  t.is((await heard(dial({ ...client, ca: second.cert }))).get(1)?.toString(), 'hello')
})

test('IPv6: the URL has the address in brackets', async (t) => {
  const probe = createServer().listen(0, '::1')
  const hasIPv6 = await Promise.race([once(probe, 'listening'), once(probe, 'error')]).then(
    ([error]) => error === undefined,
  )
  if (hasIPv6) probe.close()
  else return t.log('no IPv6 on this machine')
  const server = await start(t, { host: '::1' })
  t.regex(server.url, /^http:\/\/\[::1\]:\d+$/)
  t.is(
    (await heard(new WebSocket(server.exec(output, hello), ['v5.channel.k8s.io']))).get(1)?.toString(),
    'hello',
  )
})

test('a connection on which nothing moves is closed, and its session told', async (t) => {
  const server = await start(t, { idleTimeoutMs: 1000 })
  const told: StreamSession = ({ signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve({ exitCode: 0 })))
  const socket = new WebSocket(server.exec(output, told), ['v5.channel.k8s.io'])
  const client = await SpdyClient.dial(server.exec(output, told), ['v4.channel.k8s.io'])
  const closed = once(client.socket, 'close')
  await Promise.all([client.open({ streamtype: 'error' }), client.open({ streamtype: 'stdout' })])
  await Promise.all([heard(socket), closed])
  t.pass()
})

/** Sends back what it gets; nobody listens on port 1. */
async function dial(port: number) {
  if (port === 1) throw new Error('connection refused')
  return new PassThrough()
}

test('port-forward over channels: port, bytes and errors of each', async (t) => {
  const server = await start(t, {})
  const socket = new WebSocket(server.portForward([8080, 1], dial), ['v4.channel.k8s.io'])
  const all = heard(socket)
  await once(socket, 'open')
  socket.send(Buffer.concat([Buffer.of(0), Buffer.alloc(500_000, 'x')]))
  await once(socket, 'message')
  setTimeout(() => socket.close(), 300)
  const channels = await all
  t.is(channels.get(0)?.subarray(0, 2).readUInt16LE(), 8080)
  t.is(channels.get(0)?.length, 500_002)
  t.is(channels.get(1)?.length, 2)
  t.is(channels.get(2)?.readUInt16LE(), 1)
  t.regex(channels.get(3)?.subarray(2).toString() ?? '', /port 1 failed: connection refused/)
})

test('port-forward of a target that ends: the client sees its last byte and the end', async (t) => {
  const server = await start(t, {})
  const ending = async () => {
    const target = new PassThrough()
    target.end('all of it')
    return target
  }
  const socket = new WebSocket(server.portForward([80], ending), ['v4.channel.k8s.io'])
  const channels = heard(socket)
  await once(socket, 'open')
  t.is((await channels).get(0)?.subarray(2).toString(), 'all of it')
})

test('a stream without a mate in SPDY: the error stream alone is harmless', async (t) => {
  const server = await start(t, {})
  const client = await SpdyClient.dial(server.portForward([80], dial), ['portforward.k8s.io'])
  const error = await client.open({ streamtype: 'error', port: '80', requestid: '1' })
  error.end()
  const [echoed, data] = await Promise.all([
    client.open({ streamtype: 'error', port: '80', requestid: '2' }),
    client.open({ streamtype: 'data', port: '80', requestid: '2' }),
  ])
  const answer = gather(data)
  data.end('still here')
  t.is(await answer, 'still here')
  t.is(await gather(echoed), '')
  client.socket.destroy()
})
