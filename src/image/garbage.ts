import { statfs } from 'node:fs/promises'
import { type Clock, KeelsonError } from '../base/index.ts'
import type { Collected, GarbagePolicy, Image, PruneOptions } from './image-store.ts'
import type { Pins } from './pins.ts'
import type { ImageRecord, Recorded, Records } from './records.ts'

interface GarbageContext {
  records: Records
  pins: Pick<Pins, 'has'>
  /** On the disk that is to have room. */
  directory: string
  clock: Clock
  remove(id: string): Promise<void>
}

/** Removes images until the disk is down at the low mark, or none is left that may go. */
export async function freeDisk(context: GarbageContext, policy: GarbagePolicy): Promise<Collected> {
  const { records, pins, directory, clock } = context
  const before = await diskUse(directory)
  const wanted = bytesToFree(before, policy)
  // Blobs and layers are pinned while a container is being made, or the image pulled again, pushed or saved.
  const isBusy = ({ blobs, layerKeys }: ImageRecord) =>
    [...blobs, ...layerKeys].some((name) => pins.has(name))
  const images: Image[] = []
  let bytes = 0
  while (bytes < wanted) {
    // Looked for anew each time: meanwhile a container may have been made of the next one.
    const next = removableImages(records, { ...policy, nowMs: clock.nowMs() }).find((one) => !isBusy(one))
    if (!next) break
    await context.remove(next.image.id)
    images.push(next.image)
    bytes = before.usedBytes - (await diskUse(directory)).usedBytes
  }
  return { images, bytes: Math.max(0, bytes), missingBytes: Math.max(0, wanted - bytes) }
}

/**
 * Which images may go, the longest unused first. Never one that is pinned or that a snapshot was made from, and none
 * that was added or last used less than `minAgeMs` ago: a pull whose container is about to be created counts as use.
 */
export function removableImages(
  records: Recorded,
  { minAgeMs, nowMs }: { minAgeMs: number; nowMs: number },
): ImageRecord[] {
  const used = new Set([...records.snapshots.values()].map(({ imageId }) => imageId))
  return [...records.images.values()]
    .filter(({ image }) => !image.pinned && !used.has(image.id))
    .filter((record) => nowMs - lastUse(record) >= minAgeMs)
    .toSorted((a, b) => lastUse(a) - lastUse(b))
}

/** What `prune` takes of those: images that have lost their tags, or all of them. */
export function prunable(
  records: Recorded,
  { all = false, minAgeMs = 0 }: PruneOptions,
  nowMs: number,
): ImageRecord[] {
  return removableImages(records, { minAgeMs, nowMs }).filter(
    ({ image }) => all || image.repoTags.length === 0,
  )
}

export interface DiskUse {
  usedBytes: number
  capacityBytes: number
}

/** Bytes that have to be freed to come back to the low mark; 0 while the high mark is not reached. */
export function bytesToFree(
  { usedBytes, capacityBytes }: DiskUse,
  { highPercent, lowPercent }: GarbagePolicy,
): number {
  if (!(lowPercent >= 0 && lowPercent <= highPercent && highPercent <= 100))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `image garbage collection from ${highPercent} % down to ${lowPercent} % makes no sense`,
    )
  if (usedBytes * 100 < capacityBytes * highPercent) return 0
  return Math.max(0, usedBytes - (capacityBytes * lowPercent) / 100)
}

/** Of the file system that holds this directory, as `df` counts: what root keeps for itself is no capacity. */
export async function diskUse(directory: string): Promise<DiskUse> {
  const { bsize, blocks, bfree, bavail } = await statfs(directory)
  const usedBytes = (blocks - bfree) * bsize
  return { usedBytes, capacityBytes: usedBytes + bavail * bsize }
}

/** An image from before uses were recorded may have been used a moment ago by a process that did not record it. */
function lastUse({ usedMs, addedMs }: ImageRecord): number {
  return Math.max(usedMs ?? 0, addedMs ?? 0)
}
