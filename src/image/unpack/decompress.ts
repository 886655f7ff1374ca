import { hasErrno, KeelsonError } from '../../base/index.ts'
import { type CompressionFormat, Decoder } from '../../kernel/index.ts'

/** Uncompressed bytes of a layer: gzip, zstd or plain, told by its first bytes, not by what its media type claims. */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    const first = await firstBytes(iterator)
    const whole = resume(first, iterator)
    const format = compressionOf(first)
    if (format === 'none') yield* whole
    else yield* decoded(format, whole)
  } finally {
    // Whoever stops reading lets the source go. It is not waited for: it may be waiting itself, for bytes to come.
    iterator.return?.().catch(() => undefined)
  }
}

/** In place: a step takes less time than it would to hand it to another thread. */
async function* decoded(format: CompressionFormat, source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const decoder = openDecoder(format)
  try {
    for await (const chunk of source) yield* decoder.decode(chunk)
  } catch (cause) {
    if (!hasErrno(cause, 'EBADMSG')) throw cause
    throw new KeelsonError('DATA_LOSS', `damaged ${format} data`, { cause })
  }
  if (!decoder.isWhole) throw new KeelsonError('DATA_LOSS', `damaged ${format} data: unexpected end`)
}

function openDecoder(format: CompressionFormat): Decoder {
  try {
    return new Decoder(format)
  } catch (cause) {
    if (!hasErrno(cause, 'ENOSYS')) throw cause
    const library = format === 'zstd' ? 'libzstd (Debian: libzstd1)' : 'zlib'
    throw new KeelsonError(
      'UNIMPLEMENTED',
      `the layer is compressed with ${format}, and ${library} is missing`,
      {
        hint: 'install it, or push the image with another compression',
        cause,
      },
    )
  }
}

/** Told by the first four bytes. */
export function compressionOf(first: Buffer): CompressionFormat | 'none' {
  if (startsWith(first, 0x1f, 0x8b)) return 'gzip'
  return startsWith(first, 0x28, 0xb5, 0x2f, 0xfd) ? 'zstd' : 'none'
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
