import { KeelsonError } from '../../base/index.ts'
import type { DigestMeter } from '../digest.ts'

/** What an archive may cost at most; more is RESOURCE_EXHAUSTED. */
export interface UnpackLimits {
  /** Uncompressed. */
  maxBytes: number
  maxEntries: number
}

/** Passes the bytes on, counted and hashed. A small compressed archive may hold no more than a large one. */
export async function* metered(
  source: AsyncIterable<Buffer>,
  meter: DigestMeter,
  { maxBytes }: UnpackLimits,
): AsyncIterable<Buffer> {
  for await (const chunk of source) {
    meter.update(chunk)
    if (meter.bytes > maxBytes) refuse(`more than ${maxBytes} bytes uncompressed`)
    yield chunk
  }
}

export function requireFewEntries(entries: number, { maxEntries }: UnpackLimits): void {
  if (entries > maxEntries) refuse(`more than ${maxEntries} entries`)
}

/** A sparse file takes little disk, and those who read it whole the rest. */
export function requireSmall(bytes: number, { maxBytes }: UnpackLimits): void {
  if (bytes > maxBytes) refuse(`a sparse file of ${bytes} bytes`)
}

function refuse(what: string): never {
  throw new KeelsonError('RESOURCE_EXHAUSTED', `the archive has ${what}`)
}
