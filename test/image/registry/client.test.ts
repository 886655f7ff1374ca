/** Registries that lie, fail or ask for credentials: a small HTTP server per test, no root needed. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { parseManifest } from '../../../src/image/manifest.ts'
import { parseReference } from '../../../src/image/reference.ts'
import { parseChallenge } from '../../../src/image/registry/challenge.ts'
import { RegistryClient } from '../../../src/image/registry/client.ts'
import { endpointsOf, type Mirrors } from '../../../src/image/registry/mirrors.ts'
import { sha256 } from '../../support/archive.ts'
import { selfSigned } from '../../support/self-signed.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const empty = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: sha256(Buffer.from('{}')),
    size: 2,
  },
  layers: [],
}
const manifest = Buffer.from(JSON.stringify(empty))

async function serve(listener: RequestListener, server: Server = createServer()) {
  const seen: IncomingMessage[] = []
  server.on('request', (request, response) => {
    seen.push(request)
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const host = typeof address === 'object' && address ? `127.0.0.1:${address.port}` : ''
  return {
    host,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function fetchManifest(name: string, auth = {}, mirrors: Mirrors = {}, signal?: AbortSignal) {
  await using client = new RegistryClient({ mirrors, log: silentLogger, clock: systemClock })
  return await (await client.open(parseReference(name), auth)).manifest(undefined, signal)
}

async function fetchBlob(name: string, blob: { digest: string; sizeBytes: number }) {
  await using client = new RegistryClient({ mirrors: {}, log: silentLogger, clock: systemClock })
  const parts: Buffer[] = []
  const { signal } = new AbortController()
  for await (const part of (await client.open(parseReference(name))).blob(blob, { signal })) parts.push(part)
  return Buffer.concat(parts)
}

test('anonymous: a bearer token is asked for and sent', async (t) => {
  await using server = await serve((request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    if (url.pathname === '/token') {
      t.is(url.searchParams.get('service'), 'the, service')
      t.is(url.searchParams.get('scope'), 'repository:a:pull')
      t.is(request.headers.authorization, undefined)
      response.end(JSON.stringify({ token: 'T' }))
    } else if (request.headers.authorization === 'Bearer T') response.end(manifest)
    else {
      const realm = `Bearer realm="http://${request.headers.host}/token",service="the, service",scope="repository:a:pull"`
      response.writeHead(401, { 'www-authenticate': realm }).end()
    }
  })
  t.is((await fetchManifest(`${server.host}/a`)).digest, sha256(manifest))
  t.is(server.seen.length, 3)
})

test('credentials: basic where asked, for tokens, as a ready token; refused ones are UNAUTHENTICATED', async (t) => {
  await using server = await serve((request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`
    if (url.pathname === '/token')
      response
        .writeHead(request.headers.authorization === basic ? 200 : 401)
        .end(JSON.stringify({ access_token: 'T' }))
    else if (['Bearer T', 'Bearer ready', basic].includes(request.headers.authorization ?? ''))
      response.end(manifest)
    else {
      const bearer = `Bearer realm="http://${request.headers.host}/token"`
      response
        .writeHead(401, { 'www-authenticate': url.pathname.includes('basic') ? 'Basic realm="x"' : bearer })
        .end()
    }
  })
  const auth = { username: 'me', password: 'secret' }
  await fetchManifest(`${server.host}/basic`, auth)
  await fetchManifest(`${server.host}/bearer`, auth)
  await fetchManifest(`${server.host}/any`, { registryToken: 'ready' })
  for (const name of ['basic', 'bearer'])
    for (const wrong of [{}, { username: 'me', password: 'wrong' }])
      await t.throwsAsync(() => fetchManifest(`${server.host}/${name}`, wrong), {
        code: 'UNAUTHENTICATED',
        message: new RegExp(server.host),
      })
})

test('credentials go neither to mirrors nor to where a redirect leads', async (t) => {
  await using elsewhere = await serve((_request, response) => void response.end(manifest))
  await using server = await serve((request, response) => {
    if (request.headers.authorization)
      response.writeHead(307, { location: `http://${elsewhere.host}/x` }).end()
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
  })
  const auth = { username: 'me', password: 'secret' }
  await fetchManifest(`${server.host}/a`, auth)
  t.is(elsewhere.seen.length, 1)
  t.is(elsewhere.seen[0]?.headers.authorization, undefined)
  const mirrors = { 'reg.example': { endpoints: [server.host], onlyMirrors: true } }
  await t.throwsAsync(() => fetchManifest('reg.example/a', auth, mirrors), { code: 'UNAUTHENTICATED' })
})

test('redirects: followed, but not for ever', async (t) => {
  await using server = await serve((request, response) => {
    if (request.url === '/there') response.end(manifest)
    else if (request.url?.includes('loop')) response.writeHead(302, { location: request.url }).end()
    else response.writeHead(302, { location: '/there' }).end()
  })
  t.is((await fetchManifest(`${server.host}/a`)).digest, sha256(manifest))
  await t.throwsAsync(() => fetchManifest(`${server.host}/loop`), {
    code: 'UNAVAILABLE',
    message: /redirects/,
  })
})

test('a manifest that is not what its digest says is DATA_LOSS with both digests', async (t) => {
  await using server = await serve((_request, response) => void response.end(manifest))
  const wrong = sha256(Buffer.from('other'))
  const error = await t.throwsAsync(() => fetchManifest(`${server.host}/a@${wrong}`), { code: 'DATA_LOSS' })
  t.true(error?.message.includes(wrong) && error.message.includes(sha256(manifest)))
  await using liar = await serve((_request, response) => {
    response.writeHead(200, { 'docker-content-digest': wrong }).end(manifest)
  })
  await t.throwsAsync(() => fetchManifest(`${liar.host}/a`), { code: 'DATA_LOSS' })
})

test('wrong length, endless and broken-off bodies end', async (t) => {
  await using server = await serve((request, response) => {
    if (request.url?.includes('/manifests/')) {
      const more = () => response.write(Buffer.alloc(65536, ' ')) && setImmediate(more)
      response.on('drain', more)
      more()
    } else if (request.url?.includes('broken')) {
      response.writeHead(200, { 'content-length': '10' })
      response.write('12345')
      setTimeout(() => response.destroy(), 20)
    } else response.end('12345')
  })
  const blob = { digest: sha256(Buffer.from('x')), sizeBytes: 10 }
  await t.throwsAsync(() => fetchManifest(`${server.host}/endless`), {
    code: 'DATA_LOSS',
    message: /more than/,
  })
  await t.throwsAsync(() => fetchBlob(`${server.host}/short`, blob), {
    code: 'DATA_LOSS',
    message: /wrong length/,
  })
  await t.throwsAsync(() => fetchBlob(`${server.host}/broken`, blob), {
    code: 'UNAVAILABLE',
    message: /127\.0\.0\.1/,
  })
})

test('statuses: 404, 403, 500 and no server at all', async (t) => {
  await using server = await serve((request, response) => {
    const status = Number(/s(\d+)/.exec(request.url ?? '')?.[1])
    response.writeHead(status).end(JSON.stringify({ errors: [{ message: 'because' }] }))
  })
  await t.throwsAsync(() => fetchManifest(`${server.host}/s404`), {
    code: 'NOT_FOUND',
    message: /s404:latest.*because/,
  })
  await t.throwsAsync(() => fetchManifest(`${server.host}/s403`), {
    code: 'PERMISSION_DENIED',
    message: /because/,
  })
  await t.throwsAsync(() => fetchManifest(`${server.host}/s500`), { code: 'UNAVAILABLE', message: /500/ })
  await t.throwsAsync(() => fetchManifest('127.0.0.1:1/a'), {
    code: 'UNAVAILABLE',
    message: /127\.0\.0\.1:1 does not answer/,
  })
})

test('an abort ends a request that hangs', async (t) => {
  await using server = await serve(() => undefined)
  const stop = new AbortController()
  const pending = fetchManifest(`${server.host}/a`, {}, {}, stop.signal)
  stop.abort()
  await t.throwsAsync(() => pending)
})

test('https with an authority of its own, from a file per host', async (t) => {
  await using folder = await temporaryDirectory()
  const pem = await selfSigned()
  await using server = await serve((_request, response) => void response.end(manifest), createTlsServer(pem))
  const caFile = join(folder.path, 'ca.pem')
  writeFileSync(caFile, pem.cert)
  const mirror = { endpoints: [`https://${server.host}`], onlyMirrors: true }
  t.is(
    (await fetchManifest('reg.example/a', {}, { 'reg.example': { ...mirror, caFile } })).digest,
    sha256(manifest),
  )
  await t.throwsAsync(() => fetchManifest('reg.example/a', {}, { 'reg.example': mirror }), {
    code: 'UNAVAILABLE',
  })
  const absent = { 'reg.example': { ...mirror, caFile: join(folder.path, 'absent') } }
  await t.throwsAsync(() => fetchManifest('reg.example/a', {}, absent), { message: /absent/ })
})

test('endpoints: schemes, ports, prefixes, order', (t) => {
  const origins = (host: string, mirrors: Mirrors) =>
    endpointsOf(host, mirrors).map(({ origin, root }) => (root === '/v2' ? origin : `${origin} ${root}`))
  t.deepEqual(origins('docker.io', {}), ['https://registry-1.docker.io'])
  t.deepEqual(origins('localhost:5000', {}), ['http://localhost:5000'])
  t.deepEqual(origins('127.0.0.1.example', {}), ['https://127.0.0.1.example'])
  t.deepEqual(origins('reg.example', { 'reg.example': { endpoints: [], plainHttp: true } }), [
    'http://reg.example',
  ])
  t.deepEqual(origins('a.example', { 'a.example': { endpoints: ['b.example/x/y/', 'http://c:1/v2/z'] } }), [
    'https://b.example /v2/x/y',
    'http://c:1 /v2/z',
    'https://a.example',
  ])
  for (const bad of ['ftp://x', 'http://u:p@x', 'x y', 'http://x/?q'])
    t.throws(() => endpointsOf('a', { a: { endpoints: [bad] } }), { code: 'INVALID_ARGUMENT' }, bad)
})

test('challenges', (t) => {
  t.deepEqual(parseChallenge('Basic realm="x"'), { scheme: 'basic' })
  t.deepEqual(parseChallenge('bearer REALM="https://a/b?c,d", scope=x'), {
    scheme: 'bearer',
    realm: 'https://a/b?c,d',
    scope: 'x',
  })
  t.is(parseChallenge('Negotiate'), undefined)
  t.is(parseChallenge(''), undefined)
})

const parse = (document: unknown, type?: string) => parseManifest(Buffer.from(JSON.stringify(document)), type)
const descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: sha256(Buffer.from('l')),
  size: 1,
}

test('manifests: what is read', (t) => {
  t.is(parse({ ...empty, layers: [descriptor] }).kind, 'manifest')
  t.is(parse({ ...empty, mediaType: undefined }, `${empty.mediaType}; charset=utf-8`).kind, 'manifest')
  t.is(parse({ schemaVersion: 2, manifests: [] }).kind, 'index')
})

const refused: [title: string, document: unknown, type?: string][] = [
  ['layers and manifests at once (CVE-2021-41190)', { ...empty, manifests: [] }],
  ['a type that the registry contradicts (CVE-2021-41190)', empty, 'application/vnd.oci.image.index.v1+json'],
  ['an unknown type', { ...empty, mediaType: 'text/plain' }],
  ['a negative size (umoci 0.5.1)', { ...empty, layers: [{ ...descriptor, size: -1 }] }],
  ['a size beyond integers', { ...empty, layers: [{ ...descriptor, size: 1e300 }] }],
  ['a digest that is a path', { ...empty, layers: [{ ...descriptor, digest: 'sha256:../../etc/passwd' }] }],
  ['a layer of unknown type', { ...empty, layers: [{ ...descriptor, mediaType: 'text/plain' }] }],
  ['no layers', { ...empty, layers: undefined }],
  ['too many layers', { ...empty, layers: Array(501).fill(descriptor) }],
  ['null', null],
  ['a list', []],
  ['no version', { ...empty, schemaVersion: undefined }],
]
for (const [title, document, type] of refused)
  test(`manifest refused: ${title}`, (t) => {
    t.throws(() => parse(document, type), { code: 'DATA_LOSS' })
  })

test('manifest refused: an artifact, by its type, is no container image', (t) => {
  const config = { ...empty.config, mediaType: 'application/vnd.oci.empty.v1+json' }
  for (const [document, type] of [
    [{ ...empty, config: { ...config, mediaType: 'application/vnd.chart' } }, 'application/vnd.chart'],
    [{ ...empty, config, artifactType: 'application/vnd.sbom' }, 'application/vnd.sbom'],
    [{ ...empty, config, layers: undefined }, 'unknown'],
  ] as const)
    t.throws(() => parse(document), {
      code: 'FAILED_PRECONDITION',
      message: new RegExp(`artifact of the type ${type}`),
    })
})

test('manifest refused: schema 1, with a word on what to do', (t) => {
  for (const type of [undefined, 'application/vnd.docker.distribution.manifest.v1+prettyjws'])
    t.throws(() => parse({ schemaVersion: 1, fsLayers: [] }, type), {
      code: 'UNIMPLEMENTED',
      message: /schema 1/,
    })
})

test('a server elsewhere is told which registry it stands for; one that stands for all gets no credentials', async (t) => {
  await using server = await serve((_request, response) => response.end(manifest))
  const auth = { registryToken: 'T' }
  const itself = { endpoints: [], server: `http://${server.host}` }
  for (const [mirrors, sent] of [
    [{ '*': itself }, undefined],
    [{ 'quay.example': itself }, 'Bearer T'],
  ] as const) {
    await fetchManifest('quay.example/a:1', auth, mirrors)
    const { url, headers } = server.seen.at(-1) ?? {}
    t.is(url, '/v2/a/manifests/1?ns=quay.example')
    t.is(headers?.authorization, sent)
  }
  await fetchManifest(`${server.host}/a:1`, auth, { [server.host]: itself })
  t.is(server.seen.at(-1)?.url, '/v2/a/manifests/1', 'its own name is told by the address')
})

test('a mirror whose certificate file is missing fails alone; what it may have had is not NOT_FOUND', async (t) => {
  let status = 200
  await using server = await serve((_request, response) => response.writeHead(status).end(manifest))
  const mirrors = { [server.host]: { endpoints: [{ url: 'https://mirror.example', caFile: '/absent.pem' }] } }
  t.is((await fetchManifest(`${server.host}/a:1`, {}, mirrors)).digest, sha256(manifest))
  status = 404
  const error = await t.throwsAsync(fetchManifest(`${server.host}/a:1`, {}, mirrors))
  t.like(error, { code: 'FAILED_PRECONDITION' })
  t.regex(error?.message ?? '', /absent\.pem/)
})

test('challenges may come in several headers', async (t) => {
  await using server = await serve((request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': ['Negotiate', 'Basic realm="x"'] }).end()
    else response.end(manifest)
  })
  const auth = { username: 'me', password: 'secret' }
  t.is((await fetchManifest(`${server.host}/a:1`, auth)).digest, sha256(manifest))
})
