import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { hasErrno, KeelsonError } from '../../base/index.ts'
import { ZstdDecoder } from '../../kernel/index.ts'

const chunkBytes = 256 * 1024

/** Uncompressed bytes of a layer: gzip, zstd or plain, told by its first bytes, not by what its media type claims. */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    const first = await firstBytes(iterator)
    const whole = resume(first, iterator)
    const compression = compressionOf(first)
    if (compression === 'zstd') yield* unzstd(whole)
    else if (compression === 'gzip') yield* gunzipped(whole)
    else yield* whole
  } finally {
    // Whoever stops reading lets the source go. It is not waited for: it may be waiting itself, for bytes to come.
    iterator.return?.().catch(() => undefined)
  }
}

/** By the host's library: no Node of the oldest version that we run on has zstd of its own. */
async function* unzstd(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const decoder = openZstd()
  try {
    for await (const chunk of source) yield* decoder.decode(chunk)
  } catch (cause) {
    if (!hasErrno(cause, 'EBADMSG')) throw cause
    throw new KeelsonError('DATA_LOSS', 'damaged zstd data', { cause })
  }
  if (!decoder.isWhole) throw new KeelsonError('DATA_LOSS', 'damaged zstd data: unexpected end')
}

function openZstd(): ZstdDecoder {
  try {
    return new ZstdDecoder()
  } catch (cause) {
    if (!hasErrno(cause, 'ENOSYS')) throw cause
    throw new KeelsonError(
      'UNIMPLEMENTED',
      'the layer is compressed with zstd, and this machine has no libzstd',
      {
        hint: 'install it (Debian: libzstd1), or push the image with gzip layers',
        cause,
      },
    )
  }
}

/** Told by the first four bytes. */
export function compressionOf(first: Buffer): 'gzip' | 'zstd' | 'none' {
  if (startsWith(first, 0x1f, 0x8b)) return 'gzip'
  return startsWith(first, 0x28, 0xb5, 0x2f, 0xfd) ? 'zstd' : 'none'
}

async function* gunzipped(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const gunzip = createGunzip({ chunkSize: chunkBytes })
  let failure: unknown
  pipeline(source, gunzip, (error) => {
    failure = error
  })
  try {
    for await (const chunk of gunzip) yield chunk as Buffer
  } catch (error) {
    const cause = failure ?? error
    const zlib = cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_')
    if (!zlib) throw cause
    throw new KeelsonError('DATA_LOSS', `damaged gzip data: ${cause.message}`, { cause })
  }
}

async function firstBytes(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0)
  while (bytes.length < 4) {
    const next = await iterator.next()
    if (next.done) break
    bytes = bytes.length === 0 ? next.value : Buffer.concat([bytes, next.value])
  }
  return bytes
}

async function* resume(first: Buffer, iterator: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  if (first.length > 0) yield first
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
}

function startsWith(bytes: Buffer, ...magic: number[]): boolean {
  return magic.every((byte, at) => bytes[at] === byte)
}
