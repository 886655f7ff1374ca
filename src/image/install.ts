import { setMaxListeners } from 'node:events'
import { type Clock, KeelsonError } from '../base/index.ts'
import { maxConfigBytes, parseConfig } from './config.ts'
import type { ContentStore } from './content-store.ts'
import { digestOf } from './digest.ts'
import type { Image, ImageConfig, PullProgress } from './image-store.ts'
import type { BlobSource, LayerStore, NamedBlob } from './layer-store.ts'
import { broken, type Manifest } from './manifest.ts'
import { formatPlatform, type Platform, runsOn } from './platform.ts'
import type { Change, ImageRecord, LayerRecord, Recorded, Records } from './records.ts'

/** What an image is made of and called, whether it comes from a registry or from an archive. */
export interface Installation {
  manifest: Pick<Manifest, 'config' | 'layers'>
  /** Index and manifest, as they came: the manifest is the last. */
  documents: { digest: string; bytes: Buffer }[]
  source: BlobSource
  /** The image must run on this; unless given, whoever brings it knows what for. */
  platform?: Platform
  tags: readonly string[]
  digests: readonly string[]
  onProgress?: (event: PullProgress) => void
}

export interface InstallContext {
  content: ContentStore
  layers: LayerStore
  records: Records
  /** Boot id of the running kernel. */
  boot: string
  /** Keeps the collector away from these blobs and layers until the image is recorded. */
  pin(names: readonly string[]): Disposable
  clock: Clock
}

/** Fetches and unpacks what is missing, then records the image: durable, and visible only as a whole. */
export async function install(
  context: InstallContext,
  installation: Installation,
  signal: AbortSignal,
): Promise<Image> {
  const { manifest, documents, source } = installation
  const blobs = blobsOf(installation)
  using _blobs = context.pin(blobs)
  if (manifest.config.sizeBytes > maxConfigBytes) broken(`its config has ${manifest.config.sizeBytes} bytes`)
  let hasWritten = await context.layers.fetch(manifest.config, source, signal)
  const { config, diffIds } = parseConfig(await context.content.read(manifest.config.digest))
  if (installation.platform) requirePlatform(config, installation.platform)
  if (diffIds.length !== manifest.layers.length)
    broken(`the config names ${diffIds.length} layers, the manifest ${manifest.layers.length}`)
  const chainIds = chain(diffIds)
  using _layers = context.pin([...diffIds, ...chainIds])
  const onWritten = () => {
    hasWritten = true
  }
  const layers = await makeLayers(context, { ...installation, onWritten }, diffIds, chainIds, signal)
  for (const { digest, bytes } of documents) if (await store(context.content, digest, bytes)) onWritten()
  const image: Image = {
    id: manifest.config.digest,
    repoTags: [...installation.tags],
    repoDigests: [...installation.digests],
    sizeBytes: [manifest.config, ...manifest.layers].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    config,
    layers: diffIds,
    pinned: false,
  }
  const manifestDigest = documents.at(-1)?.digest
  const layerKeys = layers.map(({ key }) => key)
  const named = manifestDigest === undefined ? {} : { manifest: manifestDigest }
  return await record(context, { image, blobs, layerKeys, ...named }, layers, hasWritten)
}

/** Digests of all that belongs to it. */
export function blobsOf({ documents, manifest }: Pick<Installation, 'documents' | 'manifest'>): string[] {
  return [...documents, manifest.config, ...manifest.layers].map(({ digest }) => digest)
}

/** Every layer at once; what needs the directories below it waits for those only at its end. */
async function makeLayers(
  context: InstallContext,
  { manifest, source, onProgress, onWritten }: Installation & Pick<LayerOptions, 'onWritten'>,
  diffIds: readonly string[],
  chainIds: readonly string[],
  signal: AbortSignal,
): Promise<LayerRecord[]> {
  const stop = new AbortController()
  const both = AbortSignal.any([signal, stop.signal])
  setMaxListeners(0, signal, both) // every layer listens
  const making: Promise<LayerRecord>[] = []
  for (const [at, blob] of manifest.layers.entries()) {
    const below = making.slice()
    making.push(
      makeLayer(
        context,
        blob,
        { diffId: diffIds[at] ?? '', chainId: chainIds[at] ?? '' },
        {
          source,
          below: () =>
            Promise.all(below).then((records) => records.toReversed().map((one) => context.layers.path(one))),
          isLowest: at === 0,
          signal: both,
          onWritten,
          ...(onProgress && { onProgress }),
        },
      ),
    )
  }
  try {
    return await Promise.all(making)
  } catch (error) {
    stop.abort(error) // the others would work for nothing
    await Promise.allSettled(making)
    throw error
  }
}

interface LayerOptions {
  source: BlobSource
  below: () => Promise<string[]>
  isLowest: boolean
  /** Called when a blob was stored that was not here. */
  onWritten: () => void
  signal: AbortSignal
  onProgress?: (event: PullProgress) => void
}

async function makeLayer(
  { layers }: InstallContext,
  blob: NamedBlob,
  { diffId, chainId }: { diffId: string; chainId: string },
  options: LayerOptions,
): Promise<LayerRecord> {
  const tell = (status: PullProgress['status'], currentBytes: number) =>
    options.onProgress?.({ digest: blob.digest, status, currentBytes, totalBytes: blob.sizeBytes })
  const existing = layers.find(diffId, chainId)
  if (existing) {
    // A repair may have taken the blob away: then this brings it back.
    if (await layers.fetch(blob, options.source, options.signal)) options.onWritten()
    tell('exists', blob.sizeBytes)
    return existing
  }
  tell('waiting', 0)
  options.onWritten()
  const below = options.isLowest ? undefined : options.below()
  below?.catch(() => undefined) // it may fail while nobody waits for it yet; make() looks at it again
  const made = await layers.make({
    blob,
    diffId,
    chainId,
    source: options.source,
    below,
    onBytes: (bytes) => tell(bytes < blob.sizeBytes ? 'downloading' : 'unpacking', bytes),
    signal: options.signal,
  })
  tell('done', blob.sizeBytes)
  return made
}

/** A tag names one image: it leaves the image that had it. Names of an image that is here already add up. */
function record(
  { records, boot, clock }: InstallContext,
  fresh: ImageRecord,
  layers: readonly LayerRecord[],
  hasWritten: boolean,
): Promise<Image> {
  return records.change((now) => {
    const { id } = fresh.image
    const changes: Change[] = layers
      .filter(({ key, directory }) => now.layers.get(key)?.directory !== directory)
      .flatMap((layer) => [
        { put: 'layer', key: layer.key, record: layer },
        { put: 'unsynced', key: layer.directory, record: { boot } },
      ])
    changes.push(...withoutTags(now, fresh.image.repoTags, id))
    const known = now.images.get(id)
    const merged = mergedRecord(known, fresh, clock.nowMs())
    // Its blobs are on disk no sooner than layers are, also those that only came back.
    if (hasWritten || merged.blobs.length > (known?.blobs.length ?? 0))
      changes.push({ put: 'unsynced', key: id, record: { boot } })
    changes.push({ put: 'image', key: id, record: merged })
    return { changes, result: merged.image }
  })
}

function mergedRecord(known: ImageRecord | undefined, fresh: ImageRecord, nowMs: number): ImageRecord {
  const image = {
    ...fresh.image,
    repoTags: union(known?.image.repoTags, fresh.image.repoTags),
    repoDigests: union(known?.image.repoDigests, fresh.image.repoDigests),
    pinned: known?.image.pinned ?? false,
  }
  return {
    ...known,
    ...fresh,
    image,
    blobs: union(known?.blobs, fresh.blobs),
    addedMs: known?.addedMs ?? nowMs,
    usedMs: nowMs,
  }
}

/** A manifest that no index led to says only in its config what it was built for. */
function requirePlatform({ os, architecture, variant }: ImageConfig, wanted: Platform): void {
  if (os === '' || architecture === '') return
  const have = { os, architecture, ...(variant !== undefined && { variant }) }
  if (!runsOn(have, wanted))
    throw new KeelsonError(
      'NOT_FOUND',
      `the image is not there for ${formatPlatform(wanted)}, only for ${formatPlatform(have)}`,
    )
}

/** These tags are about to go to the image `id`: the others that have them, without them. */
export function withoutTags(now: Recorded, tags: readonly string[], id: string): Change[] {
  return [...now.images.values()]
    .filter(({ image }) => image.id !== id && image.repoTags.some((tag) => tags.includes(tag)))
    .map((other) => {
      const repoTags = other.image.repoTags.filter((tag) => !tags.includes(tag))
      return { put: 'image', key: other.image.id, record: { ...other, image: { ...other.image, repoTags } } }
    })
}

/** True when it was not here before. */
async function store(content: ContentStore, digest: string, bytes: Buffer): Promise<boolean> {
  if (await content.has(digest)) return false
  await content.ingest({ digest, sizeBytes: bytes.length }, once(bytes))
  return true
}

export async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes
}

/** chain(0) = diff(0); chain(n) = sha256(chain(n-1) + " " + diff(n)). */
function chain(diffIds: readonly string[]): string[] {
  const chainIds: string[] = []
  for (const diffId of diffIds) {
    const parent = chainIds.at(-1)
    chainIds.push(parent === undefined ? diffId : digestOf(Buffer.from(`${parent} ${diffId}`)))
  }
  return chainIds
}

function union(first: readonly string[] = [], second: readonly string[] = []): string[] {
  return [...new Set([...first, ...second])]
}
