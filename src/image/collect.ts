import type { ContentStore } from './content-store.ts'
import type { LayerStore } from './layer-store.ts'
import type { Leases } from './leases.ts'
import type { Pins } from './pins.ts'
import type { Change, Records } from './records.ts'

interface CollectContext {
  records: Records
  layers: LayerStore
  content: ContentStore
  leases: Leases
  pins: Pins
  /** Called when there may be more to collect: a lease has run out. */
  again: () => void
}

/** Removes layers and blobs that no image, no snapshot, no running pull and no lease needs. */
export async function collect(context: CollectContext): Promise<void> {
  const { records, layers, content, leases, pins, again } = context
  const keys = new Set(
    [...records.images.values(), ...records.snapshots.values()].flatMap((one) => one.layerKeys),
  )
  const doomed = layers.list().filter(({ key }) => !keys.has(key) && !pins.has(key))
  // Looked up, forgotten and queued for removal without a pause in between: a pull that comes later makes the
  // layer anew and records it after this removal. The directory goes last, so that no record lacks one.
  for (const layer of doomed) layers.forget(layer)
  const recorded = doomed.filter(({ key }) => records.layers.has(key))
  await records.commit(
    recorded.flatMap(({ key, directory }): Change[] => [
      { remove: 'layer', key },
      { remove: 'unsynced', key: directory },
    ]),
  )
  await Promise.all(doomed.map((layer) => layers.remove(layer)))
  await leases.sweep(again)
  for (const digest of await content.list()) if (!needsBlob(context, digest)) await content.remove(digest)
  for (const digest of await content.partials())
    if (!needsBlob(context, digest)) await content.removePartial(digest)
}

function needsBlob({ records, pins, leases }: CollectContext, digest: string): boolean {
  if (pins.has(digest) || leases.holds(digest)) return true
  return [...records.images.values()].some(({ blobs }) => blobs.includes(digest))
}
