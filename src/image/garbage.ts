import { statfs } from 'node:fs/promises'
import { KeelsonError } from '../base/index.ts'
import type { GarbagePolicy, PruneOptions } from './image-store.ts'
import type { ImageRecord, Records } from './records.ts'

/**
 * Which images may go, the longest unused first. Never one that is pinned or that a snapshot was made from, and none
 * that was added or last used less than `minAgeMs` ago: a pull whose container is about to be created counts as use.
 */
export function removableImages(
  records: Records,
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
  records: Records,
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
