import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { proxyUpgrade, type UpgradeProxyRequest } from '../../../cri/streaming/upgrade-proxy.ts'
import { selfSigned } from '../../support/self-signed.ts'

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

async function listen(t: ExecutionContext, server: Server): Promise<URL> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** A proxy in front of a target that does `onUpgrade`; `done` resolves when proxyUpgrade has. */
async function chain(t: ExecutionContext, onUpgrade: OnUpgrade, more: Partial<UpgradeProxyRequest> = {}) {
  const target = await listen(t, createServer().on('upgrade', onUpgrade))
  return proxyTo(t, new URL('/inner?x=1', target), more)
}

async function proxyTo(t: ExecutionContext, target: URL, more: Partial<UpgradeProxyRequest> = {}) {
  const proxy = createServer()
  const errors: Error[] = []
  const done = new Promise<void>((resolve) => {
    proxy.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
      const options = { request: incoming, socket, head, target, onError: (e: Error) => errors.push(e) }
      void proxyUpgrade({ ...options, ...more }).then(resolve)
    })
  })
  return { url: await listen(t, proxy), done, errors }
}

const accepted =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-A: 1\r\nX-A: 2\r\n\r\n'

/** All bytes until the other side has ended; unlike stream/consumers it leaves the writable half open. */
async function collect(socket: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

function dial(url: URL, method = 'POST', headerLines: string[] = []): Socket {
  const socket = connect({ host: url.hostname, port: Number(url.port), allowHalfOpen: true })
  const lines = [`${method} /outer HTTP/1.1`, 'Host: outer', 'Connection: Upgrade', 'Upgrade: SPDY/3.1']
  socket.write(`${[...lines, ...headerLines].join('\r\n')}\r\n\r\n`)
  return socket
}

for (const method of ['GET', 'POST']) {
  test(`${method}: header lines, early bytes and half close pass both ways`, async (t) => {
    let seen: IncomingMessage | undefined
    const { url, done, errors } = await chain(t, (incoming, socket, head) => {
      seen = incoming
      socket.write(`${accepted}hello `)
      void collect(socket).then((body) => socket.end(Buffer.concat([head, body])))
    })
    const socket = dial(url, method, [
      'X-Stream-Protocol-Version: v4.channel.k8s.io',
      'X-Stream-Protocol-Version: channel.k8s.io',
      'Authorization: Bearer secret',
    ])
    socket.end('early bytes')
    const answer = await text(socket)
    t.deepEqual(errors, [])
    t.is(answer, `${accepted}hello early bytes`)
    await done
    t.is(seen?.method, method)
    t.is(seen?.url, '/inner?x=1')
    t.not(seen?.headers.host, 'outer')
    t.is(seen?.headers.authorization, undefined)
    t.deepEqual(seen?.headersDistinct['x-stream-protocol-version'], ['v4.channel.k8s.io', 'channel.k8s.io'])
  })
}

test('8 MiB of random bytes come back unchanged', async (t) => {
  const { url, done } = await chain(t, (_incoming, socket) => {
    socket.write(accepted)
    socket.pipe(socket)
  })
  const bytes = randomBytes(8 << 20)
  const socket = dial(url)
  const echoed = collect(socket)
  socket.end(bytes)
  t.true((await echoed).subarray(accepted.length).equals(bytes))
  await done
})

test('back-pressure: a reader that stands still stops the writer', async (t) => {
  let written = 0
  const { url } = await chain(t, (_incoming, socket) => {
    socket.write(accepted)
    const chunk = Buffer.alloc(64 << 10)
    const more = () => {
      while (written < 256 << 20) {
        written += chunk.length
        if (!socket.write(chunk)) return
      }
    }
    socket.on('drain', more)
    socket.on('error', () => undefined)
    more()
  })
  const socket = dial(url)
  await once(socket, 'readable')
  let before = -1
  while (written !== before) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  t.true(written < 32 << 20, `${written} bytes left the writer`)
  socket.destroy()
})

test('a refused upgrade comes back as the plain response it is', async (t) => {
  const target = await listen(
    t,
    createServer((_incoming, response) => {
      response.writeHead(403, { 'X-Accepted-Stream-Protocol-Versions': 'v4.channel.k8s.io' })
      response.write('not ')
      response.end('this one')
    }),
  )
  const { url, done } = await proxyTo(t, target)
  const outgoing = request(url, { method: 'POST', headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1' } })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  t.is(response.statusCode, 403)
  t.is(response.headers['x-accepted-stream-protocol-versions'], 'v4.channel.k8s.io')
  t.is(await text(response), 'not this one')
  await done
})

test('an unreachable target is 502 and names it', async (t) => {
  const closed = createServer()
  const url = await listen(t, closed)
  closed.close()
  await once(closed, 'close')
  const proxy = await proxyTo(t, url)
  const answer = await text(dial(proxy.url))
  t.regex(answer, /^HTTP\/1\.1 502 /)
  t.true(answer.includes(url.host))
  await proxy.done
  t.is(proxy.errors.length, 1)
})

test('a client that vanishes ends the target, an aborted signal ends both', async (t) => {
  for (const how of ['vanish', 'abort'] as const) {
    const abort = new AbortController()
    let targetClosed: Promise<unknown> | undefined
    const proxy = await chain(
      t,
      (_incoming, socket) => {
        socket.on('error', () => undefined)
        targetClosed = once(socket, 'close')
        socket.on('end', () => socket.end())
        socket.resume()
        socket.write(accepted)
      },
      { signal: abort.signal },
    )
    const socket = dial(proxy.url)
    socket.on('error', () => undefined)
    await once(socket, 'data')
    if (how === 'vanish') socket.resetAndDestroy()
    else abort.abort()
    await proxy.done
    await targetClosed
    t.pass(how)
  }
})

test('https target: client certificate shown, server certificate checked', async (t) => {
  const server = await selfSigned()
  const client = await selfSigned()
  let peer: unknown
  const options = { requestCert: true, rejectUnauthorized: false, allowHalfOpen: true }
  const tlsServer = createTlsServer({ ...server, ...options })
  tlsServer.on('upgrade', (incoming: IncomingMessage, socket: Duplex) => {
    peer = (
      incoming.socket as unknown as { getPeerX509Certificate(): { raw: Buffer } }
    ).getPeerX509Certificate()
    socket.write(accepted)
    void collect(socket).then((body) => socket.end(body.toString().toUpperCase()))
  })
  const plain = await listen(t, tlsServer as unknown as Server)
  const target = new URL(`https://127.0.0.1:${plain.port}/`)
  const trusted = await proxyTo(t, target, { tls: { ...client, ca: server.cert } })
  const socket = dial(trusted.url)
  socket.end('quiet')
  t.is(await text(socket), `${accepted}QUIET`)
  t.truthy(peer)
  const untrusted = await proxyTo(t, target, { tls: { ...client } })
  t.regex(await text(dial(untrusted.url)), /^HTTP\/1\.1 502 /)
})

test('a client that goes while the target takes nothing: the target is told in seconds', async (t) => {
  let told = () => {}
  const isTold = new Promise<void>((resolve) => {
    told = resolve
  })
  const { url, done } = await chain(t, (_incoming, socket) => {
    socket.write(accepted)
    socket.pause()
    const ping = setInterval(() => socket.write('.'), 50)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(ping)
      told()
    })
  })
  const socket = dial(url)
  await once(socket, 'data')
  socket.write(Buffer.alloc(32 << 20))
  await sleep(300)
  socket.resetAndDestroy()
  await isTold
  await done
  t.pass()
})
