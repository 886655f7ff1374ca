import { createHash, type Hash } from 'node:crypto'
import { KeelsonError } from '../base/index.ts'

const forms: Record<string, RegExp> = { sha256: /^[a-f0-9]{64}$/, sha512: /^[a-f0-9]{128}$/ }

/** `algorithm:hex` with an algorithm that we can compute (image-spec descriptor.md, "Digests"). */
export function isDigest(text: unknown): text is string {
  if (typeof text !== 'string') return false
  const { algorithm, hex } = split(text)
  return forms[algorithm]?.test(hex) ?? false
}

/** INVALID_ARGUMENT for anything but a digest that we can compute. */
export function splitDigest(digest: string): { algorithm: string; hex: string } {
  if (!isDigest(digest))
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `${String(digest).slice(0, 100)} is not a sha256 or sha512 digest`,
    )
  return split(digest)
}

/** Takes bytes as they pass and tells their digest at the end. */
export class DigestMeter {
  readonly #algorithm: string
  readonly #hash: Hash
  bytes = 0

  constructor(algorithm = 'sha256') {
    this.#algorithm = algorithm
    this.#hash = createHash(algorithm)
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.bytes += chunk.length
  }

  /** Once only. */
  digest(): string {
    return `${this.#algorithm}:${this.#hash.digest('hex')}`
  }
}

export function digestOf(bytes: Uint8Array, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

function split(text: string): { algorithm: string; hex: string } {
  const colon = text.indexOf(':')
  return { algorithm: text.slice(0, Math.max(0, colon)), hex: text.slice(colon + 1) }
}
