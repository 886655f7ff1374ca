import { hasCode, hasErrno } from '../base/index.ts'
import { treeUsage } from '../kernel/index.ts'
import type { ContentStore } from './content-store.ts'
import type { StoreCheck } from './image-store.ts'
import type { LayerStore } from './layer-store.ts'
import type { Change, LayerRecord, Records } from './records.ts'

interface CheckContext {
  content: ContentStore
  layers: LayerStore
  records: Records
}

/**
 * Reads every blob and compares it with its digest, looks for every blob and layer that an image needs, and says
 * which images that leaves broken. A repair removes damaged blobs, and forgets layers whose files are not all there
 * together with their images, unless a container still stands on them. What is in use is looked at but left alone.
 *
 * The store goes on working meanwhile: what is told is what is still so at the end.
 */
export async function checkStore(
  context: CheckContext,
  isInUse: (name: string) => boolean,
  { repair = false, signal }: { repair?: boolean; signal: AbortSignal },
): Promise<StoreCheck> {
  const { records } = context
  const read = await readBlobs(context, isInUse, signal)
  const layers = await checkLayers(context, signal)
  const damaged = await stillDamaged(context.content, read.damaged, signal)
  const missing = await missingBlobs(context)
  const blobs: StoreCheck['blobs'] = [
    ...damaged.map((digest) => ({ digest, problem: 'damaged' as const })),
    ...missing.map((digest) => ({ digest, problem: 'missing' as const })),
  ]
  // From here to the repair nothing is waited for.
  const stillBad = layers.filter(({ record }) => isRecorded(records, record))
  const check: StoreCheck = {
    checkedBlobs: read.count,
    checkedBytes: read.bytes,
    checkedLayers: records.layers.size,
    blobs,
    layers: stillBad.map(({ record: { key }, problem }) => ({ key, problem })),
    images: brokenImages(records, blobs, stillBad),
    repaired: repair && blobs.length + stillBad.length > 0,
  }
  const mine = (name: string) => !isInUse(name)
  if (check.repaired)
    await mend(
      context,
      damaged.filter(mine),
      stillBad.map(({ record }) => record).filter(({ key }) => mine(key)),
    )
  return check
}

function brokenImages(
  records: Records,
  blobs: StoreCheck['blobs'],
  layers: readonly BadLayer[],
): StoreCheck['images'] {
  const badBlobs = new Set(blobs.map(({ digest }) => digest))
  const badLayers = new Set(layers.map(({ record }) => record.key))
  return [...records.images.values()]
    .map(({ image, blobs: needed, layerKeys }) => ({
      id: image.id,
      repoTags: image.repoTags,
      runs: !layerKeys.some((key) => badLayers.has(key)),
      pulls: needed.some((digest) => badBlobs.has(digest)),
    }))
    .filter(({ runs, pulls }) => pulls || !runs)
    .map(({ id, repoTags, runs }) => ({ id, repoTags, runs }))
}

async function readBlobs(
  { content }: CheckContext,
  isInUse: (name: string) => boolean,
  signal: AbortSignal,
): Promise<{ damaged: string[]; count: number; bytes: number }> {
  const found = { damaged: [] as string[], count: 0, bytes: 0 }
  for (const digest of await content.list()) {
    const blob = await readBlob(content, digest, signal)
    if (!blob) continue
    found.count += 1
    found.bytes += blob.sizeBytes
    if (!blob.isWhole && !isInUse(digest)) found.damaged.push(digest)
  }
  return found
}

/** Undefined: it was collected meanwhile. */
async function readBlob(content: ContentStore, digest: string, signal: AbortSignal) {
  try {
    return await content.verify(digest, signal)
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

/** A blob that was collected and fetched again is another one. */
async function stillDamaged(content: ContentStore, digests: readonly string[], signal: AbortSignal) {
  const found: string[] = []
  for (const digest of digests) {
    const blob = await readBlob(content, digest, signal)
    if (blob && !blob.isWhole) found.push(digest)
  }
  return found
}

async function missingBlobs({ content, records }: CheckContext): Promise<string[]> {
  const needed = () => new Set([...records.images.values()].flatMap(({ blobs }) => blobs))
  const gone: string[] = []
  for (const digest of needed()) if (!(await content.has(digest))) gone.push(digest)
  const stillNeeded = needed() // an image that is removed takes its blobs along
  return gone.filter((digest) => stillNeeded.has(digest))
}

interface BadLayer {
  record: LayerRecord
  problem: StoreCheck['layers'][number]['problem']
}

/** How many files there are: what they take on disk changes when the kernel writes them back. */
async function checkLayers({ layers, records }: CheckContext, signal: AbortSignal): Promise<BadLayer[]> {
  const found: BadLayer[] = []
  for (const record of [...records.layers.values()]) {
    signal.throwIfAborted()
    const inodes = await inodesOf(layers.path(record))
    if (inodes !== record.inodes)
      found.push({ record, problem: inodes === undefined ? 'missing' : 'changed' })
  }
  return found
}

/** The same directory, not one that was made anew for the same layer. */
function isRecorded(records: Records, { key, directory }: LayerRecord): boolean {
  return records.layers.get(key)?.directory === directory
}

async function inodesOf(path: string): Promise<number | undefined> {
  try {
    return (await treeUsage(path)).inodes
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

async function mend(
  { content, layers, records }: CheckContext,
  blobs: readonly string[],
  bad: readonly LayerRecord[],
): Promise<void> {
  const held = new Set([...records.snapshots.values()].flatMap(({ layerKeys }) => layerKeys))
  const doomed = bad.filter(({ key }) => !held.has(key))
  const keys = doomed.map(({ key }) => key)
  for (const layer of doomed) layers.forget(layer)
  await records.change((now) => {
    const images = [...now.images.values()].filter(({ layerKeys }) =>
      layerKeys.some((key) => keys.includes(key)),
    )
    const changes = [
      ...images.map(({ image }): Change => ({ remove: 'image', key: image.id })),
      ...doomed.flatMap(({ key, directory }): Change[] => [
        { remove: 'layer', key },
        { remove: 'unsynced', key: directory },
      ]),
    ]
    return { changes, result: undefined }
  })
  await Promise.all([
    ...blobs.map((digest) => content.remove(digest)),
    ...doomed.map((layer) => layers.remove(layer)),
  ])
}
