import { hasCode } from '../base/index.ts'
import type { Blob, ContentStore } from './content-store.ts'
import { type Index, type Manifest, maxManifestBytes, mediaTypeOf, parseManifest } from './manifest.ts'
import type { ImageRecord } from './records.ts'

export interface StoredDocument<Kind = Manifest | Index> {
  digest: string
  bytes: Buffer
  mediaType: string
  parsed: Kind
}

/** The documents of an image as its registry or archive had them, the latest first. */
export interface ImageDocuments {
  manifests: StoredDocument<Manifest>[]
  /** Those that lead to one of the manifests. */
  indexes: StoredDocument<Index>[]
}

/** Finds the manifests and indexes among an image's blobs: any other blob is none that names this image. */
export async function imageDocuments(content: ContentStore, record: ImageRecord): Promise<ImageDocuments> {
  const found: ImageDocuments = { manifests: [], indexes: [] }
  for (const digest of record.blobs.toReversed()) {
    if (digest === record.image.id) continue
    const document = await readDocument(content, digest)
    if (document?.parsed.kind === 'index') found.indexes.push({ ...document, parsed: document.parsed })
    if (document?.parsed.kind === 'manifest' && document.parsed.config.digest === record.image.id)
      found.manifests.push({ ...document, parsed: document.parsed })
  }
  return found
}

/** Undefined when there is no such blob, or it is no manifest. */
export async function readDocument(
  content: ContentStore,
  digest: string,
): Promise<StoredDocument | undefined> {
  const size = await content.size(digest)
  if (size === undefined || size > maxManifestBytes) return undefined
  const bytes = await content.read(digest)
  if (bytes[0] !== 0x7b) return undefined // no JSON object
  try {
    return { digest, bytes, mediaType: mediaTypeOf(bytes), parsed: parseManifest(bytes, undefined) }
  } catch (error) {
    if (hasCode(error, 'DATA_LOSS') || hasCode(error, 'FAILED_PRECONDITION')) return undefined
    throw error
  }
}

/** Every blob that must be there for this manifest: what is not distributed is not among them. */
export function blobsOf({ config, layers }: Manifest): Blob[] {
  return [config, ...layers.filter(({ mediaType }) => !/nondistributable|foreign/.test(mediaType))]
}
