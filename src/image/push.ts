import { setMaxListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { asKeelsonError, KeelsonError } from '../base/index.ts'
import type { Blob, ContentStore } from './content-store.ts'
import { blobsOf, imageDocuments, readDocument, type StoredDocument } from './documents.ts'
import type { Credentials, Pushed, PushOptions, PushProgress } from './image-store.ts'
import type { Index } from './manifest.ts'
import type { ImageRecord } from './records.ts'
import { formatReference, parseReference, type Reference } from './reference.ts'
import type { RegistryClient } from './registry/client.ts'
import type { Uploads } from './registry/uploads.ts'
import { Slots } from './slots.ts'

export interface PushContext {
  content: ContentStore
  registry: RegistryClient
  credentials: Credentials
  /** Keeps the collector away from these blobs. */
  pin(names: readonly string[]): Disposable
}

const parallelUploads = 4
const readBytes = 256 * 1024

/**
 * Uploads an image: blobs side by side, then manifests, an index last, so that a name never leads to something that
 * is not all there. The bytes are those that were pulled or loaded, hence the digests too. An index goes along when
 * every image that it names is here.
 */
export async function pushImage(
  context: PushContext,
  record: ImageRecord,
  name: string,
  { auth, onProgress }: PushOptions,
  signal: AbortSignal,
): Promise<Pushed> {
  const target = parseReference(name)
  const documents = await documentsFor(context.content, record, target)
  // An index names other images too, and those may be removed meanwhile.
  using _blobs = context.pin(documents.flatMap(digestsOf))
  const known = auth ?? (await context.credentials(target.host, target.repository))
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  setMaxListeners(0, both) // every blob listens
  const uploads = (await context.registry.open(target, known)).uploads({ signal: both })
  await uploadBlobs(context, documents, uploads, mountable(record, target), onProgress, stop)
  const top = documents.at(-1)
  for (const document of documents) {
    const tag = document === top ? target.tag : undefined
    await uploads.manifest(document.bytes, document.mediaType, document.digest, tag)
  }
  return { reference: formatReference(target), digest: top?.digest ?? '' }
}

function digestsOf({ digest, parsed }: StoredDocument): string[] {
  return parsed.kind === 'manifest' ? [digest, ...blobsOf(parsed).map((blob) => blob.digest)] : [digest]
}

/** In the order in which they must be there. A digest in the target says which are meant. */
async function documentsFor(
  content: ContentStore,
  record: ImageRecord,
  { digest }: Reference,
): Promise<StoredDocument[]> {
  const { manifests, indexes } = await imageDocuments(content, record)
  for (const index of indexes) {
    if (digest !== undefined && index.digest !== digest) continue
    const below = await wholeIndex(content, index)
    if (below) return [...below, index]
  }
  const manifest = manifests.find((one) => digest === undefined || one.digest === digest)
  if (manifest) return [manifest]
  throw new KeelsonError(
    'FAILED_PRECONDITION',
    digest === undefined
      ? `the manifest of image ${record.image.id} is no longer here`
      : `${digest} is no manifest of image ${record.image.id} that is here with all its parts`,
    { hint: 'pull the image again' },
  )
}

/** Everything that an index names, lowest first; undefined when a part is not here. */
async function wholeIndex(
  content: ContentStore,
  { parsed }: StoredDocument<Index>,
): Promise<StoredDocument[] | undefined> {
  const found: StoredDocument[] = []
  for (const { digest } of parsed.manifests) {
    const document = await readDocument(content, digest)
    if (!document) return undefined
    const { parsed: child } = document
    if (child.kind === 'index') {
      const below = await wholeIndex(content, { ...document, parsed: child })
      if (!below) return undefined
      found.push(...below)
    } else for (const blob of blobsOf(child)) if (!(await content.has(blob.digest))) return undefined
    found.push(document)
  }
  return found
}

async function uploadBlobs(
  { content }: PushContext,
  documents: readonly StoredDocument[],
  uploads: Uploads,
  mountFrom: string | undefined,
  onProgress: PushOptions['onProgress'],
  stop: AbortController,
): Promise<void> {
  const needed = documents.flatMap(({ parsed }) => (parsed.kind === 'manifest' ? blobsOf(parsed) : []))
  const blobs = [...new Map(needed.map((blob) => [blob.digest, blob])).values()]
  const slots = new Slots(parallelUploads)
  const upload = async (blob: Blob) => {
    const tell = (status: PushProgress['status'], currentBytes: number) =>
      onProgress?.({ digest: blob.digest, status, currentBytes, totalBytes: blob.sizeBytes })
    tell('waiting', 0)
    if (!(await content.has(blob.digest)))
      throw new KeelsonError('FAILED_PRECONDITION', `blob ${blob.digest} of the image is no longer here`, {
        hint: 'pull the image again',
      })
    const read = (start: number, end: number) => bytesOf(content.path(blob.digest), start, end)
    const outcome = await slots.run(() =>
      uploads.blob(blob, {
        read,
        ...(mountFrom !== undefined && { mountFrom }),
        onBytes: (bytes) => tell('uploading', bytes),
      }),
    )
    tell(outcome, blob.sizeBytes)
  }
  const uploading = blobs.map(upload)
  try {
    await Promise.all(uploading)
  } catch (error) {
    stop.abort(error) // the others would work for nothing, and read blobs that nobody pins any more
    await Promise.allSettled(uploading)
    throw error
  }
}

/** Another repository of the same registry from which the image came: it may let its blobs be taken over. */
function mountable({ image }: ImageRecord, target: Reference): string | undefined {
  return [...image.repoTags, ...image.repoDigests]
    .map(parseReference)
    .find(({ host, repository }) => host === target.host && repository !== target.repository)?.repository
}

async function* bytesOf(path: string, start: number, end: number): AsyncIterable<Buffer> {
  if (end === start) return
  try {
    for await (const chunk of createReadStream(path, { start, end: end - 1, highWaterMark: readBytes }))
      yield chunk as Buffer
  } catch (error) {
    throw asKeelsonError(error, { op: 'read a blob of the image', path }) // not the registry's failure
  }
}
