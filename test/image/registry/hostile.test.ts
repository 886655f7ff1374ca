/**
 * Registries that lie, break off, or never end: each lie has its code and one clear sentence, nothing is left of it,
 * and the store goes on.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ava from 'ava'
import { type ErrorCode, KeelsonError, silentLogger, systemClock } from '../../../src/base/index.ts'
import { type ImageStore, openImageStore } from '../../../src/image/index.ts'
import { file, tar } from '../../support/archive.ts'
import {
  dripping,
  endless,
  type HostileRegistry,
  type Reply,
  type Script,
  silence,
  startHostileRegistry,
} from '../../support/hostile-registry.ts'
import { serialRootTest as test } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const registryTimeouts = { answerMs: 500, stallMs: 800, paceBytes: 64 }
const clock = { ...systemClock, sleep: async () => undefined }

const open = (path: string): Promise<ImageStore> =>
  openImageStore({ dataDirectory: path, log: silentLogger, clock, registryTimeouts })

/** Files of blobs, layers and half-done work. */
function left(path: string): string[] {
  return ['blobs/sha256', 'blobs/sha512', 'layers', 'ingest'].flatMap((name) => {
    const folder = join(path, 'image', name)
    return existsSync(folder) ? readdirSync(folder) : []
  })
}

/** Honest, but for what is asked here. */
function on(what: 'manifest' | 'config' | 'layer', lie: (honest: Reply) => Reply | undefined): Script {
  return (heard, honest) => (heard.what === what ? lie(honest()) : honest())
}

const bodyOf = ({ body }: Reply): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0))
const changed = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 1))

type Lie = [title: string, script: Script, code: ErrorCode, sentence: RegExp]

/** Asks for a token that its service gives in this way. */
const tokenService =
  (token: Reply | undefined, realm?: string, more = ''): Script =>
  ({ url, headers }, honest) => {
    if (url.pathname === '/token') return token
    if (headers.authorization && more === '') return honest()
    const at = realm ?? `http://${headers.host}/token`
    const challenge = `Bearer realm="${at}",service="s",scope="repository:app:pull"${more}`
    return { status: 401, headers: { 'www-authenticate': challenge } }
  }

const lies: Lie[] = [
  [
    'layer: other bytes',
    on('layer', (r) => ({ ...r, body: changed(bodyOf(r)) })),
    'DATA_LOSS',
    /digest mismatch|damaged/,
  ],
  ['layer: too short', on('layer', (r) => ({ body: bodyOf(r).subarray(9) })), 'DATA_LOSS', /wrong length/],
  [
    'layer: too short, length untold',
    on('layer', (r) => ({ body: pieces(bodyOf(r).subarray(9)) })),
    'DATA_LOSS',
    /wrong length/,
  ],
  [
    'layer: too long',
    on('layer', (r) => ({ body: Buffer.concat([bodyOf(r), bodyOf(r)]) })),
    'DATA_LOSS',
    /wrong length/,
  ],
  [
    'layer: without end',
    on('layer', () => ({ body: endless() })),
    'DATA_LOSS',
    /wrong length: expected \d+ bytes, got more/,
  ],
  ['layer: never answered', on('layer', () => undefined), 'UNAVAILABLE', /does not answer/],
  ['layer: stalls', on('layer', (r) => ({ body: dripping(bodyOf(r), 50) })), 'UNAVAILABLE', /stalls/],
  [
    'layer: always cut at once',
    on('layer', () => ({ body: '', cut: true })),
    'UNAVAILABLE',
    /does not answer/,
  ],
  ['layer: gone', on('layer', () => ({ status: 404 })), 'NOT_FOUND', /blob sha256:\w+ does not exist/],
  [
    'layer: a page for people',
    on('layer', () => ({ body: '<html>log in first</html>', headers: { 'content-type': 'text/html' } })),
    'DATA_LOSS',
    /wrong length/,
  ],
  [
    'config: other bytes',
    on('config', (r) => ({ body: changed(bodyOf(r)) })),
    'DATA_LOSS',
    /digest mismatch/,
  ],
  ['manifest: without end', on('manifest', () => ({ body: endless() })), 'DATA_LOSS', /more than \d+ bytes/],
  [
    'manifest: 100 MB, as announced',
    on('manifest', () => ({ headers: { 'content-length': '100000000' }, body: endless() })),
    'DATA_LOSS',
    /more than \d+ bytes/,
  ],
  ['manifest: broken JSON', on('manifest', () => ({ body: '{"schemaVersion":' })), 'DATA_LOSS', /not JSON/],
  ['manifest: JSON of depth', on('manifest', () => ({ body: '['.repeat(200_000) })), 'DATA_LOSS', /not JSON/],
  [
    'manifest: a page for people',
    on('manifest', () => ({ body: '<html>', headers: { 'content-type': 'text/html' } })),
    'DATA_LOSS',
    /not JSON/,
  ],
  [
    'manifest: of another type',
    on('manifest', (r) => ({ ...r, headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' } })),
    'DATA_LOSS',
    /says it is/,
  ],
  [
    'manifest: another digest',
    on('manifest', (r) => ({ ...r, headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } })),
    'DATA_LOSS',
    /digest mismatch/,
  ],
  ['manifest: drips', on('manifest', (r) => ({ body: dripping(bodyOf(r), 50) })), 'UNAVAILABLE', /stalls/],
  ['manifest: no answer', on('manifest', () => undefined), 'UNAVAILABLE', /does not answer/],
  [
    'redirects in a circle',
    ({ url }) => ({ status: 302, headers: { location: url.href.replace('http://registry', '') } }),
    'UNAVAILABLE',
    /redirects/,
  ],
  [
    'a redirect to a file, whose body never comes',
    () => ({ status: 302, headers: { location: 'file:///x', 'content-length': '100' }, body: silence() }),
    'UNAVAILABLE',
    /refused redirect/,
  ],
  [
    'a 401 whose body never comes',
    () => ({ status: 401, headers: { 'content-length': '100' }, body: silence() }),
    'UNAUTHENTICATED',
    /refuses access/,
  ],
  [
    'redirect to a file',
    () => ({ status: 307, headers: { location: 'file:///etc/passwd' } }),
    'UNAVAILABLE',
    /refused redirect/,
  ],
  [
    'redirect to a file, with a signature',
    () => ({ status: 307, headers: { location: 'ftp://store/blob?signature=secret' } }),
    'UNAVAILABLE',
    /refused redirect to ftp:\/\/store\/blob$/,
  ],
  [
    'redirect to nowhere',
    () => ({ status: 301, headers: { location: 'http://' } }),
    'UNAVAILABLE',
    /refused redirect/,
  ],
  [
    'too many requests',
    () => ({ status: 429, headers: { 'retry-after': '3600' }, body: '{"errors":[{"message":"slow down"}]}' }),
    'UNAVAILABLE',
    /429.*slow down/,
  ],
  ['always 503', () => ({ status: 503 }), 'UNAVAILABLE', /503/],
  ['418', () => ({ status: 418 }), 'FAILED_PRECONDITION', /418/],
  [
    'a challenge nobody knows',
    () => ({ status: 401, headers: { 'www-authenticate': 'Negotiate' } }),
    'UNAUTHENTICATED',
    /refuses access/,
  ],
  [
    '401 without a challenge, with a body without end',
    () => ({ status: 401, body: endless() }),
    'UNAUTHENTICATED',
    /refuses access/,
  ],
  ['token service: no JSON', tokenService({ body: 'token' }), 'UNAUTHENTICATED', /sends no token/],
  [
    'token service: a token that breaks the header',
    tokenService({ body: JSON.stringify({ token: 'a\r\nX: y' }) }),
    'UNAUTHENTICATED',
    /sends no token/,
  ],
  ['token service: a number', tokenService({ body: '{"token":5}' }), 'UNAUTHENTICATED', /sends no token/],
  ['token service: without end', tokenService({ body: endless() }), 'DATA_LOSS', /more than/],
  ['token service: silent', tokenService(undefined), 'UNAVAILABLE', /does not answer/],
  [
    'token service: denies',
    tokenService({ status: 403, body: '{"errors":[{"message":"banned"}]}' }),
    'PERMISSION_DENIED',
    /banned/,
  ],
  [
    'token service: at no address',
    tokenService(undefined, 'ftp://token'),
    'UNAUTHENTICATED',
    /refused token service/,
  ],
  [
    'a token that is not taken',
    tokenService({ body: '{"token":"T"}' }, undefined, ',error="insufficient_scope"'),
    'PERMISSION_DENIED',
    /not pull/,
  ],
]

async function* pieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}

let registry: HostileRegistry
let data: Awaited<ReturnType<typeof temporaryDirectory>>
let store: ImageStore | undefined

ava.before(async () => {
  const layer = await tar(file('x', Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 251))))
  registry = await startHostileRegistry([layer])
  data = await temporaryDirectory()
  if (process.getuid?.() === 0) store = await open(data.path)
})
ava.after.always(async () => {
  await store?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  await data?.[Symbol.asyncDispose]()
})

for (const [title, script, code, sentence] of lies)
  test(title, async (t) => {
    if (!store) return t.fail('no store')
    registry.script = script
    const pulled = store.pull(registry.reference)
    const error = await t.throwsAsync(() => pulled, { instanceOf: KeelsonError, code, message: sentence })
    t.true((error?.message ?? '').length < 500 && !/\n/.test(error?.message ?? ''), error?.message)
    t.deepEqual(store.list(), [])
    t.deepEqual(left(data.path), [])
  })

test('and life goes on', async (t) => {
  if (!store) return t.fail('no store')
  registry.script = (_heard, honest) => honest()
  const { id } = await store.pull(registry.reference)
  t.is(id, registry.config)
  await store.remove(id)
  t.deepEqual(left(data.path), [])
})
