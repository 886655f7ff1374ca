import { hasErrno } from '../base/index.ts'
import { treeUsage } from '../kernel/index.ts'
import type { ContentStore } from './content-store.ts'
import type { StoreCheck } from './image-store.ts'
import type { LayerStore } from './layer-store.ts'
import type { Change, ImageRecord, LayerRecord, Records } from './records.ts'

interface CheckContext {
  content: ContentStore
  layers: LayerStore
  records: Records
}

/**
 * Reads every blob and compares it with its digest, looks for every blob and layer that an image needs, and says
 * which images that leaves broken. A repair removes damaged blobs, and forgets layers whose files are not all there
 * together with their images, unless a container still stands on them. What is in use is looked at but left alone.
 */
export async function checkStore(
  context: CheckContext,
  isInUse: (name: string) => boolean,
  { repair = false, signal }: { repair?: boolean; signal: AbortSignal },
): Promise<StoreCheck> {
  const { records } = context
  const images = [...records.images.values()]
  const blobs = await checkBlobs(context, images, isInUse, signal)
  const layers = await checkLayers(context, signal)
  const badBlobs = new Set(blobs.found.map(({ digest }) => digest))
  const badLayers = new Set(layers.map(({ key }) => key))
  const broken = images
    .filter(
      (one) =>
        one.blobs.some((digest) => badBlobs.has(digest)) || one.layerKeys.some((key) => badLayers.has(key)),
    )
    .map(({ image, layerKeys }) => ({
      id: image.id,
      repoTags: image.repoTags,
      runs: !layerKeys.some((key) => badLayers.has(key)),
    }))
  const check: StoreCheck = {
    checkedBlobs: blobs.count,
    checkedBytes: blobs.bytes,
    checkedLayers: records.layers.size,
    blobs: blobs.found,
    layers,
    images: broken,
    repaired: repair && blobs.found.length + layers.length > 0,
  }
  if (check.repaired) await mend(context, check)
  return check
}

async function checkBlobs(
  { content }: CheckContext,
  images: readonly ImageRecord[],
  isInUse: (name: string) => boolean,
  signal: AbortSignal,
): Promise<{ found: StoreCheck['blobs']; count: number; bytes: number }> {
  const stored = new Set(await content.list())
  const found: StoreCheck['blobs'] = []
  let bytes = 0
  for (const digest of stored) {
    const { sizeBytes, isWhole } = await content.verify(digest, signal)
    bytes += sizeBytes
    if (!isWhole && !isInUse(digest)) found.push({ digest, problem: 'damaged' })
  }
  for (const digest of new Set(images.flatMap((one) => one.blobs)))
    if (!stored.has(digest) && !(await content.has(digest))) found.push({ digest, problem: 'missing' })
  return { found, count: stored.size, bytes }
}

/** How many files there are: what they take on disk changes when the kernel writes them back. */
async function checkLayers(
  { layers, records }: CheckContext,
  signal: AbortSignal,
): Promise<StoreCheck['layers']> {
  const found: StoreCheck['layers'] = []
  for (const record of records.layers.values()) {
    signal.throwIfAborted()
    const inodes = await inodesOf(layers.path(record))
    if (inodes !== record.inodes)
      found.push({ key: record.key, problem: inodes === undefined ? 'missing' : 'changed' })
  }
  return found
}

async function inodesOf(path: string): Promise<number | undefined> {
  try {
    return (await treeUsage(path)).inodes
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

async function mend({ content, layers, records }: CheckContext, check: StoreCheck): Promise<void> {
  for (const { digest, problem } of check.blobs) if (problem === 'damaged') await content.remove(digest)
  const held = new Set([...records.snapshots.values()].flatMap(({ layerKeys }) => layerKeys))
  const doomed = check.layers
    .map(({ key }) => records.layers.get(key))
    .filter((one): one is LayerRecord => one !== undefined && !held.has(one.key))
  const keys = doomed.map(({ key }) => key)
  const images = [...records.images.values()].filter(({ layerKeys }) =>
    layerKeys.some((key) => keys.includes(key)),
  )
  for (const layer of doomed) layers.forget(layer)
  await records.commit([
    ...images.map(({ image }): Change => ({ remove: 'image', key: image.id })),
    ...doomed.flatMap(({ key, directory }): Change[] => [
      { remove: 'layer', key },
      { remove: 'unsynced', key: directory },
    ]),
  ])
  await Promise.all(doomed.map((layer) => layers.remove(layer)))
}
