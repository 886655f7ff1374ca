import type { ImageDescription } from './image-store.ts'
import type { ImageRecord, Records } from './records.ts'
import { layerRecords } from './snapshots.ts'

/** What the records say of an image: its own, those of its layers, and those of the snapshots made from it. */
export function describeImage(records: Records, record: ImageRecord): ImageDescription {
  const { image, manifest, addedMs, usedMs, layerKeys } = record
  const usedBy = [...records.snapshots.values()].filter(({ imageId }) => imageId === image.id)
  return {
    image,
    manifestDigest: manifest,
    addedMs,
    usedMs,
    usedBy: usedBy.map(({ key }) => key),
    unpackedBytes: layerRecords(records, layerKeys).reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
