/** Uploads that break off: what the registry has in the end is the blob, and no piece went twice that it had. */
import type { IncomingMessage } from 'node:http'
import test from 'ava'
import fc from 'fast-check'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { parseReference } from '../../../src/image/reference.ts'
import { RegistryClient } from '../../../src/image/registry/client.ts'
import { sha256 } from '../../support/archive.ts'
import { startUploadRegistry, type UploadRegistry } from '../../support/upload-registry.ts'

const clock = { ...systemClock, sleep: async () => undefined }
const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, at) => (at * 7919) % 251))
const digest = sha256(bytes)

async function upload(
  registry: UploadRegistry,
  pieceBytes: number,
  blob = bytes,
  mountFrom?: string,
): Promise<string> {
  await using client = new RegistryClient({ mirrors: {}, log: silentLogger, clock })
  const uploads = (await client.open(parseReference(`${registry.host}/app:1`))).uploads({ pieceBytes })
  async function* read(start: number, end: number) {
    for (let at = start; at < end; at += 1000) yield blob.subarray(at, Math.min(end, at + 1000))
  }
  const source = { read, ...(mountFrom !== undefined && { mountFrom }) }
  return await uploads.blob({ digest: sha256(blob), sizeBytes: blob.length }, source)
}

for (const status of [401, 403, 404])
  test(`a registry that answers ${status} when it is to take a blob over gets it sent`, async (t) => {
    await using registry = await startUploadRegistry()
    registry.meddle = ({ url = '' }, response) => {
      if (!url.includes('mount=')) return false
      response.writeHead(status).end()
      return true
    }
    t.is(await upload(registry, 10_000, bytes, 'other/app'), 'done')
    t.deepEqual(registry.heard, ['HEAD', 'POST', 'POST', 'PUT'])
    registry.meddle = ({ method }, response) => method === 'POST' && Boolean(response.writeHead(status).end())
    const refused = status === 404 ? 'NOT_FOUND' : status === 403 ? 'PERMISSION_DENIED' : 'UNAUTHENTICATED'
    await t.throwsAsync(upload(registry, 10_000, Buffer.from('more'), 'other/app'), { code: refused })
  })

test('in one request, in pieces, and not at all when it is there', async (t) => {
  await using registry = await startUploadRegistry()
  t.is(await upload(registry, 10_000), 'done')
  t.deepEqual(registry.heard, ['HEAD', 'POST', 'PUT'])
  registry.heard.length = 0
  t.is(await upload(registry, 100), 'exists')
  t.deepEqual(registry.heard, ['HEAD'])
  registry.blobs.clear()
  registry.heard.length = 0
  t.is(await upload(registry, 4000), 'done')
  t.deepEqual(registry.heard, ['HEAD', 'POST', 'PATCH', 'PATCH', 'PATCH', 'PUT'])
  t.true(registry.blobs.get(digest)?.equals(bytes))
  t.is(await upload(registry, 4000, Buffer.alloc(0)), 'done')
})

test('a piece that breaks off goes on from what the registry has of it', async (t) => {
  await using registry = await startUploadRegistry()
  const cuts = fc.array(fc.record({ request: fc.nat(8), taken: fc.nat(3000) }), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1500, max: 12_000 }), cuts, async (pieceBytes, breaks) => {
      registry.blobs.clear()
      let seen = 0
      registry.meddle = async (request, response, session) => {
        if (!['PATCH', 'PUT'].includes(request.method ?? '')) return false
        const cut = breaks.find(({ request: at }) => at === seen)
        seen += 1
        if (!cut) return false
        const got = await firstBytes(request, cut.taken)
        if (request.method === 'PATCH') session.push(got)
        response.destroy()
        return true
      }
      t.is(await upload(registry, pieceBytes), 'done')
      return registry.blobs.get(digest)?.equals(bytes) === true
    }),
    { numRuns: 25 },
  )
})

async function firstBytes(request: IncomingMessage, count: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    parts.push(part as Buffer)
    size += (part as Buffer).length
    if (size >= count) break
  }
  return Buffer.concat(parts).subarray(0, count)
}

test('a registry that lies about uploads is told, and none goes on for ever', async (t) => {
  await using registry = await startUploadRegistry()
  const answer = (methods: string[], status: number, headers: Record<string, string> = {}) => {
    registry.meddle = (request, response) => {
      if (!methods.includes(request.method ?? '')) return false
      request.resume()
      response.writeHead(status, headers).end()
      return true
    }
  }
  const refused = (code: string, message: RegExp, pieceBytes = 4000) =>
    t.throwsAsync(() => upload(registry, pieceBytes), { code, message })
  answer(['POST'], 202)
  await refused('UNAVAILABLE', /does not say where to upload/)
  answer(['POST'], 202, { location: 'file:///etc/passwd' })
  await refused('UNAVAILABLE', /does not say where/)
  answer(['POST'], 403)
  await refused('PERMISSION_DENIED', /denies an upload to app/)
  answer(['POST'], 307, { location: '/elsewhere' })
  await refused('UNAVAILABLE', /refused redirect/)
  answer(['PATCH'], 202, { location: '/v2/app/blobs/uploads/0', range: '0-999999' })
  await refused('UNAVAILABLE', /lost a part/)
  answer(['PATCH'], 202, { location: '/v2/app/blobs/uploads/0', range: '0-0' })
  await refused('UNAVAILABLE', /lost a part|400|does not answer/)
  answer(['PATCH', 'PUT'], 413)
  await refused('FAILED_PRECONDITION', /413/)
  answer(['PUT'], 201, { 'docker-content-digest': sha256(Buffer.from('other')) })
  await refused('DATA_LOSS', /digest mismatch/)
  answer(['HEAD'], 500)
  await refused('UNAVAILABLE', /500/)
})
