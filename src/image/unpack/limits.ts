import { KeelsonError } from '../../base/index.ts'
import type { DigestMeter } from '../digest.ts'

/** What an archive may cost at most; more is RESOURCE_EXHAUSTED. */
export interface UnpackLimits {
  /** Uncompressed. */
  maxBytes: number
  maxEntries: number
  /** Directories on the way to an entry, itself included. */
  maxDepth: number
  /** Uncompressed bytes for each compressed one, of all but the first few; 0: any. */
  maxRatio: number
}

/** A node has other limits for good reasons, a disk has less room. */
export const defaultUnpackLimits: UnpackLimits = {
  maxBytes: 64 * 2 ** 30,
  maxEntries: 2_000_000,
  maxDepth: 1024,
  maxRatio: 0,
}

/** Small archives of nothing but zeros are no bombs. */
const ratioFromBytes = 64 * 2 ** 20

/** Passes bytes on and counts them: those that came before they were decompressed. */
export class ByteCount {
  bytes = 0

  async *of(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of source) {
      this.bytes += chunk.length
      yield chunk
    }
  }
}

/** Passes the bytes on, counted and hashed. A small compressed archive may hold no more than a large one. */
export async function* metered(
  source: AsyncIterable<Buffer>,
  meter: DigestMeter,
  { maxBytes, maxRatio }: UnpackLimits,
  compressed: Readonly<ByteCount>,
): AsyncIterable<Buffer> {
  for await (const chunk of source) {
    meter.update(chunk)
    if (meter.bytes > maxBytes) refuse(`more than ${maxBytes} bytes uncompressed`)
    if (maxRatio > 0 && meter.bytes > ratioFromBytes && meter.bytes > compressed.bytes * maxRatio)
      refuse(`more than ${maxRatio} bytes for each compressed one`)
    yield chunk
  }
}

/** Paths are relative and clean; '' is the root. */
export function requireShallow(path: string, { maxDepth }: UnpackLimits): void {
  if (path.length < maxDepth) return // a level takes a byte at least
  if (path.split('/').length > maxDepth) refuse(`a path of more than ${maxDepth} names`)
}

/** A sparse file takes little disk, and those who read it whole the rest. */
export function requireSmall(bytes: number, { maxBytes }: UnpackLimits): void {
  if (bytes > maxBytes) refuse(`a sparse file of ${bytes} bytes`)
}

export function refuse(what: string): never {
  throw new KeelsonError('RESOURCE_EXHAUSTED', `the archive has ${what}`)
}
