import { createInflate } from 'node:zlib'
import { CriError } from '../error.ts'
import { spdyDictionary } from './spdy-dictionary.ts'

export type SpdyHeaders = Readonly<Record<string, string>>

const blockBytesMax = 64 * 1024

/**
 * Header blocks of one connection, which share a single zlib stream: they are read in the order of their frames, also
 * those that nobody wants.
 */
export class HeaderReader {
  readonly #inflate = createInflate({ dictionary: spdyDictionary })

  constructor() {
    this.#inflate.on('error', () => undefined)
  }

  /** Rejects what is no header block, or one that grows beyond 64 KiB. */
  read(block: Buffer): Promise<SpdyHeaders> {
    const inflate = this.#inflate
    const parts: Buffer[] = []
    let bytes = 0
    return new Promise<Buffer>((resolve, reject) => {
      const refuse = (why: string) => reject(new CriError('INVALID_ARGUMENT', `a header block ${why}`))
      const end = (error?: Error) => refuse(error ? `cannot be read: ${error.message}` : 'came too late')
      const collect = (part: Buffer) => {
        bytes += part.length
        parts.push(part)
        if (bytes > blockBytesMax) refuse('is too large')
      }
      inflate.on('data', collect)
      inflate.once('error', end)
      inflate.once('close', end)
      inflate.write(block, () => {
        inflate.off('data', collect)
        inflate.off('error', end)
        inflate.off('close', end)
        resolve(Buffer.concat(parts))
      })
    }).then(parseBlock)
  }

  close(): void {
    this.#inflate.destroy()
  }
}

/** A count, then names and values with their lengths before them; several values of a name are apart by NUL. */
function parseBlock(bytes: Buffer): SpdyHeaders {
  let at = 0
  const number = () => {
    at += 4
    if (at > bytes.length) throw new CriError('INVALID_ARGUMENT', 'a header block is cut short')
    return bytes.readUInt32BE(at - 4)
  }
  const word = () => {
    const length = number()
    at += length
    if (at > bytes.length) throw new CriError('INVALID_ARGUMENT', 'a header block is cut short')
    return bytes.toString('latin1', at - length, at)
  }
  const headers = new Map<string, string>()
  for (let left = number(); left > 0; left--) headers.set(word().toLowerCase(), word())
  return Object.fromEntries(headers)
}

const zlibHead = Buffer.of(0x78, 0x01)
const noHeaders = Buffer.of(0x00, 0x04, 0x00, 0xfb, 0xff, 0, 0, 0, 0)
const syncFlush = Buffer.of(0x00, 0x00, 0x00, 0xff, 0xff)

/**
 * The only header block that a server here ever sends, the empty one, as a stored block (RFC 1951, 3.2.4): it needs no
 * compressor, which would cost a quarter of a megabyte per connection.
 */
export function emptyHeaders(isFirst: boolean): Buffer {
  return Buffer.concat([...(isFirst ? [zlibHead] : []), noHeaders, syncFlush])
}
