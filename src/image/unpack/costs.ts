import { refuse, type UnpackLimits } from './limits.ts'

/** Of a file system: what a file's content is rounded up to, and about what any other inode takes. */
const blockBytes = 4096
/** Paths that are kept in memory until the end of an archive; two million of honest length are fewer. */
const maxPathBytes = 2 ** 27

/**
 * What an archive has made so far, held against its limits: not only its members, as a member of a few bytes, nearly
 * nothing once compressed, may need a thousand directories that no other describes.
 */
export class Costs {
  readonly #limits: UnpackLimits
  #entries = 0
  #diskBytes = 0
  #pathBytes = 0

  constructor(limits: UnpackLimits) {
    this.#limits = limits
  }

  /** One more entry, whose file claims this content; more than there may be at all is told by the bytes that come. */
  entry(contentBytes = 0): void {
    const { maxBytes, maxEntries } = this.#limits
    this.#entries += 1
    if (this.#entries > maxEntries) refuse(`more than ${maxEntries} entries`)
    const blocks = contentBytes > maxBytes ? 1 : Math.max(1, Math.ceil(contentBytes / blockBytes))
    this.#diskBytes += blocks * blockBytes
    if (this.#diskBytes > maxBytes) refuse(`more than ${maxBytes} bytes unpacked`)
  }

  /** A path of so many bytes is remembered. */
  path(bytes: number): void {
    this.#pathBytes += bytes
    if (this.#pathBytes > maxPathBytes)
      refuse(`directories whose paths have more than ${maxPathBytes} bytes together`)
  }
}
