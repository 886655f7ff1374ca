/** What is attached to an image: by the referrers API, and by the tag that stands for it. */
import test from 'ava'
import { silentLogger, systemClock } from '../../../src/base/index.ts'
import { parseReference } from '../../../src/image/reference.ts'
import { RegistryClient } from '../../../src/image/registry/client.ts'
import { referrersTag } from '../../../src/image/registry/referrers.ts'
import { sha256 } from '../../support/archive.ts'
import { type Heard, type Reply, startHostileRegistry } from '../../support/hostile-registry.ts'
import { ociTypes } from '../../support/registry.ts'

const digest = sha256(Buffer.from('image'))
const attached = (artifactType: string) => ({
  mediaType: ociTypes.manifest,
  digest: sha256(Buffer.from(artifactType)),
  size: 7,
  artifactType,
  annotations: { made: 'here' },
})
const list = (...types: string[]): Reply => ({
  headers: { 'content-type': ociTypes.index },
  body: JSON.stringify({ schemaVersion: 2, mediaType: ociTypes.index, manifests: types.map(attached) }),
})

async function referrers(script: (heard: Heard) => Reply, artifactType?: string) {
  await using registry = await startHostileRegistry([], script)
  await using client = new RegistryClient({
    mirrors: {},
    log: silentLogger,
    clock: systemClock,
    random: () => 0,
  })
  const found = await (await client.open(parseReference(registry.reference))).referrers(digest, artifactType)
  return {
    found: found.map((one) => one.artifactType),
    first: found[0],
    paths: registry.heard.map(({ url }) => `${url.pathname}${url.search}`),
  }
}

test('by the API, page by page, filtered also where the registry does not', async (t) => {
  const pages = ({ url }: Heard): Reply => {
    if (!url.pathname.endsWith(`/referrers/${digest}`)) return { status: 404 }
    if (url.searchParams.get('page') === '2') return list('a/three')
    const { headers = {}, ...one } = list('a/one', 'a/two')
    return { ...one, headers: { ...headers, link: `<http://elsewhere.example/v2/x?page=2>; rel="next"` } }
  }
  const all = await referrers(pages)
  t.deepEqual(all.found, ['a/one', 'a/two', 'a/three'])
  t.deepEqual(all.first, {
    digest: sha256(Buffer.from('a/one')),
    mediaType: ociTypes.manifest,
    sizeBytes: 7,
    artifactType: 'a/one',
    annotations: { made: 'here' },
  })
  const some = await referrers(pages, 'a/two')
  t.deepEqual(some.found, ['a/two'])
  t.true(some.paths[0]?.endsWith('?artifactType=a%2Ftwo'))
})

test('by the tag where there is no API, and nothing where there is neither', async (t) => {
  const tag = referrersTag(digest)
  t.regex(tag, /^sha256-[0-9a-f]{64}$/)
  const tagged = await referrers(({ url }) =>
    url.pathname.endsWith(`/manifests/${tag}`) ? list('a/one') : { status: 404 },
  )
  t.deepEqual(tagged.found, ['a/one'])
  t.deepEqual((await referrers(() => ({ status: 404 }))).found, [])
  t.is(referrersTag(`sha512:${'a'.repeat(128)}`), `sha512-${'a'.repeat(64)}`)
})

test('answers that are no list are told', async (t) => {
  const refused = (reply: Reply, code: string, message: RegExp) =>
    t.throwsAsync(() => referrers(() => reply), { code, message })
  await refused({ body: '[]' }, 'DATA_LOSS', /not a JSON object/)
  await refused(
    { ...list('a/one'), headers: { 'content-type': ociTypes.index, link: '<?x>; rel=next' } },
    'DATA_LOSS',
    /pages/,
  )
  await refused({ status: 403 }, 'PERMISSION_DENIED', /list of referrers/)
})
