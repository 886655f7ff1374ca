import { type Blob, requireDigest } from '../content-store.ts'
import { digestOf, splitDigest } from '../digest.ts'
import type { Installation } from '../install.ts'
import { broken, type Descriptor, type Index, maxManifestBytes, parseManifest } from '../manifest.ts'
import { type Platform, selectPlatform } from '../platform.ts'
import { formatReference, parseReference, repositoryName } from '../reference.ts'
import type { Folder } from './folder.ts'
import { requireOneImage } from './one-name.ts'

/**
 * Every image of an OCI image layout (image-spec image-layout.md) that runs here, each read when it is asked for: what
 * an archive may name is far more than memory holds.
 */
export async function* readOciLayout(
  folder: Folder,
  platform: Platform,
  reference?: string,
): AsyncGenerator<Installation> {
  const index = parseManifest(await folder.whole('index.json', maxManifestBytes), undefined)
  if (index.kind !== 'index') broken('index.json is no index')
  const images = runnable(index, platform)
  requireOneImage(reference, images.length)
  for (const image of images) yield await readImage(folder, image, platform, reference)
}

function runnable(index: Index, wanted: Platform): Descriptor[] {
  const fits = index.manifests.filter(
    ({ platform }) =>
      !platform || (platform.os === wanted.os && platform.architecture === wanted.architecture),
  )
  return fits.length > 0 ? fits : [selectPlatform(index.manifests, wanted)]
}

async function readImage(
  folder: Folder,
  top: Descriptor,
  platform: Platform,
  reference: string | undefined,
): Promise<Installation> {
  const documents: Installation['documents'] = []
  for (let next: Descriptor = top, depth = 0; depth < 3; depth++) {
    const bytes = await folder.whole(blobPath(next), maxManifestBytes)
    requireDigest(digestOf(bytes, splitDigest(next.digest).algorithm), next.digest, 'manifest in the archive')
    documents.push({ digest: next.digest, bytes })
    const parsed = parseManifest(bytes, next.mediaType)
    if (parsed.kind === 'manifest')
      return {
        manifest: parsed,
        documents,
        source: { blob: (blob, { offset }) => folder.read(blobPath(blob), offset) },
        ...names(reference ?? nameOf(top), top.digest),
      }
    next = selectPlatform(parsed.manifests, platform)
  }
  return broken('its index leads to an index of indexes')
}

/** containerd writes the full name; others the tag alone, which names nothing without a repository. */
function nameOf({ annotations = {} }: Descriptor): string | undefined {
  const full = annotations['io.containerd.image.name']
  const short = annotations['org.opencontainers.image.ref.name']
  return full ?? (short?.match(/[/:]/) ? short : undefined)
}

function names(name: string | undefined, digest: string): { tags: string[]; digests: string[] } {
  if (name === undefined) return { tags: [], digests: [] }
  const reference = parseReference(name)
  return {
    tags: reference.tag === undefined ? [] : [formatReference(reference)],
    digests: [`${repositoryName(reference)}@${digest}`],
  }
}

function blobPath({ digest }: Blob): string {
  const { algorithm, hex } = splitDigest(digest)
  return `blobs/${algorithm}/${hex}`
}
