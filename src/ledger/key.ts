import { KeelsonError } from '../base/index.ts'

const maxKeyBytes = 1900

/** A key as its UTF-8 bytes, which is also how it is ordered. INVALID_ARGUMENT when it is no key. */
export function encodeKey(key: string): Buffer {
  const bytes = encodeText(key)
  if (bytes.length === 0 || bytes.length > maxKeyBytes)
    throw new KeelsonError('INVALID_ARGUMENT', `a key has 1 to ${maxKeyBytes} bytes, not ${bytes.length}`, {
      id: key.slice(0, 80),
    })
  return bytes
}

/**
 * An end of a range: any text, also the empty one. lmdb takes no longer bound than a key; cut one byte after the
 * longest key, a bound still orders against every key as the whole did.
 */
export function encodeBound(key: string): Buffer {
  return encodeText(key).subarray(0, maxKeyBytes + 1)
}

function encodeText(key: string): Buffer {
  const bytes = Buffer.from(key, 'utf8')
  // A lone surrogate becomes U+FFFD in UTF-8: two such keys would be one.
  if (bytes.includes(replacement) && bytes.toString('utf8') !== key)
    throw new KeelsonError('INVALID_ARGUMENT', 'a key must be well-formed Unicode', { id: key.slice(0, 80) })
  return bytes
}

export function decodeKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

const replacement = Buffer.from('\ufffd')
