import { once } from 'node:events'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { ApiClient, createHttpTransport, readAll, resources } from '../../src/api/index.ts'
import { hasCode } from '../../src/base/index.ts'
import { selfSigned } from '../support/self-signed.ts'

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void

async function serve(handler: Handler) {
  const { key, cert } = await selfSigned()
  const server = createSecureServer({ key, cert }, handler)
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  server.on('sessionError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const drop = () => {
    for (const session of sessions) session.destroy()
    sessions.clear()
  }
  return {
    options: { server: `https://127.0.0.1:${port}`, ca: cert },
    drop,
    onSession: (listener: () => void) => server.on('session', listener),
    async [Symbol.asyncDispose]() {
      drop()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a request carries method, path, query, headers and body', async (t) => {
  await using server = await serve((request, response) => {
    void readAll(request).then((body) => {
      const { method, url, headers } = request
      response.writeHead(201, { 'x-answer': 'yes' })
      response.end(JSON.stringify({ method, url, type: headers['content-type'], body: body.toString() }))
    })
  })
  await using transport = createHttpTransport(server.options)
  const response = await transport.request({
    method: 'POST',
    path: '/api/v1/pods',
    query: { labelSelector: 'a in (b,c)', limit: 5, gone: undefined },
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from('hello'),
  })
  t.is(response.status, 201)
  t.is(response.headers['x-answer'], 'yes')
  t.deepEqual(JSON.parse((await readAll(response.body)).toString()), {
    method: 'POST',
    url: '/api/v1/pods?labelSelector=a+in+%28b%2Cc%29&limit=5',
    type: 'text/plain',
    body: 'hello',
  })
})

test('several requests share a connection, and a lost one is made anew', async (t) => {
  let calls = 0
  await using server = await serve((_request, response) => {
    calls++
    response.end('{}')
  })
  await using transport = createHttpTransport(server.options)
  const get = async () => readAll((await transport.request({ method: 'GET', path: '/' })).body)
  await Promise.all(Array.from({ length: 20 }, get))
  server.drop()
  await new Promise((resolve) => setTimeout(resolve, 50))
  await get()
  t.is(calls, 21)
})

test('a watch that breaks off is an error, one that ends is not', async (t) => {
  const event = JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'a' } } })
  await using server = await serve((request, response) => {
    response.write(`${event}\n`)
    if (request.url.includes('pods')) response.end()
  })
  await using transport = createHttpTransport(server.options)
  const client = new ApiClient(transport)
  const seen: string[] = []
  for await (const one of client.watch(resources.pods)) seen.push(one.type)
  t.deepEqual(seen, ['ADDED'])
  const broken = await t.throwsAsync(async () => {
    for await (const one of client.watch(resources.nodes)) {
      seen.push(one.type)
      server.drop()
    }
  })
  t.true(hasCode(broken, 'UNAVAILABLE'))
  t.is(seen.length, 2)
})

test('an abort ends a waiting request and a running watch', async (t) => {
  await using server = await serve((request, response) => {
    if (request.url.includes('watch')) response.write('\n')
  })
  await using transport = createHttpTransport(server.options)
  const client = new ApiClient(transport)
  const waiting = client.list(resources.pods, { signal: AbortSignal.timeout(50) })
  t.true(hasCode(await t.throwsAsync(waiting), 'CANCELLED'))
  const watching = async () => {
    for await (const _event of client.watch(resources.pods, { signal: AbortSignal.timeout(50) })) t.fail()
  }
  t.true(hasCode(await t.throwsAsync(watching), 'CANCELLED'))
})

test('no server, or one that somebody else vouches for, is UNAVAILABLE', async (t) => {
  await using nobody = createHttpTransport({ server: 'https://127.0.0.1:1' })
  const refused = await t.throwsAsync(nobody.request({ method: 'GET', path: '/' }))
  t.true(hasCode(refused, 'UNAVAILABLE'))
  t.regex(refused?.message ?? '', /ECONNREFUSED/)
  await using server = await serve((_request, response) => response.end('{}'))
  await using stranger = createHttpTransport({ server: server.options.server })
  t.true(hasCode(await t.throwsAsync(stranger.request({ method: 'GET', path: '/' })), 'UNAVAILABLE'))
})

test('a silent peer is given up', async (t) => {
  await using server = await serve(() => undefined)
  // No answer to a ping can come in so short a time, whatever the peer does.
  await using transport = createHttpTransport({ ...server.options, keepaliveMs: 0 })
  const error = await t.throwsAsync(transport.request({ method: 'GET', path: '/' }))
  t.true(hasCode(error, 'UNAVAILABLE'))
})

test('thousands of requests on one connection reset none of their streams', async (t) => {
  let resets = 0
  let sessions = 0
  await using server = await serve((request, response) => {
    request.stream.on('close', () => {
      if (request.stream.rstCode !== 0) resets++
    })
    request.resume()
    response.end('{}')
  })
  server.onSession(() => sessions++)
  await using transport = createHttpTransport(server.options)
  let left = 2_000
  const body = Buffer.from('{}')
  const worker = async () => {
    while (left-- > 0) await readAll((await transport.request({ method: 'POST', path: '/', body })).body)
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  t.is(resets, 0)
  t.is(sessions, 1)
})
