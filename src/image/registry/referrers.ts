import { digestOf, splitDigest } from '../digest.ts'
import type { Referrer } from '../image-store.ts'
import { type Descriptor, maxManifestBytes, parseManifest } from '../manifest.ts'
import { indexTypes } from '../media-types.ts'
import type { Answer } from './answer.ts'
import { discard, type Pace, readBytes } from './body.ts'
import { RegistryError, refusal } from './failures.ts'

type Ask = (path: string, accept: string) => Promise<Answer>

const accept = indexTypes.join(', ')
const maxPages = 100

/**
 * Asks the referrers API page by page and, where a registry lacks it, the index with the tag that stands for it
 * (distribution spec, "Listing Referrers" and "Backwards Compatibility"). Nothing attached is an empty list.
 */
export async function listReferrers(
  digest: string,
  artifactType: string | undefined,
  from: string,
  pace: Pace,
  ask: Ask,
): Promise<Referrer[]> {
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const found: Descriptor[] = []
  let path: string | undefined = `referrers/${digest}${filter}`
  for (let page = 0; path !== undefined; page++) {
    if (page === maxPages)
      throw new RegistryError('DATA_LOSS', `registry ${from}: more than ${maxPages} pages of referrers`)
    const answer = await ask(path, accept)
    if (page === 0 && answer.status === 404) {
      await discard(answer, pace)
      found.push(...(await byTag(digest, from, pace, ask)))
      break
    }
    found.push(...(await readIndex(answer, from, pace)))
    path = nextPage(answer.headers['link'], digest)
  }
  return found
    .filter((one) => artifactType === undefined || one.artifactType === artifactType)
    .map(asReferrer)
}

/** `sha256:abc…` → `sha256-abc…`, each part cut to the length that a tag may have. */
export function referrersTag(digest: string): string {
  const { algorithm, hex } = splitDigest(digest)
  return `${algorithm.slice(0, 32)}-${hex.slice(0, 64)}`
}

async function byTag(digest: string, from: string, pace: Pace, ask: Ask): Promise<Descriptor[]> {
  const answer = await ask(`manifests/${referrersTag(digest)}`, accept)
  if (answer.status !== 404) return await readIndex(answer, from, pace)
  await discard(answer, pace)
  return []
}

async function readIndex(answer: Answer, from: string, pace: Pace): Promise<Descriptor[]> {
  const bytes = await readBytes(answer, maxManifestBytes, from, pace)
  if (answer.status !== 200) throw refusal(answer, 'the list of referrers', from, bytes.toString('utf8'))
  const parsed = parseManifest(bytes, answer.headers['content-type'])
  if (parsed.kind === 'index') return parsed.manifests
  throw new RegistryError('DATA_LOSS', `registry ${from}: ${digestOf(bytes)} is no list of referrers`)
}

/** Only ever the same list, whatever address the registry writes. */
function nextPage(link: string | undefined, digest: string): string | undefined {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, 'http://registry')) return undefined
  return `referrers/${digest}${new URL(target, 'http://registry').search}`
}

function asReferrer({ digest, mediaType, sizeBytes, artifactType, annotations }: Descriptor): Referrer {
  return {
    digest,
    mediaType,
    sizeBytes,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  }
}
