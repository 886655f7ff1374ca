import { KeelsonError } from '../../base/index.ts'
import type { Header } from './entry.ts'

/** The parts of tar-stream's extractor that its types leave out. */
export interface Dialected {
  /** Null after a block of zeros. */
  _header: Header & { type: string | null; size: number }
  _buffer: { buffered: number; shift(bytes: number): Buffer | null; shiftFirst(bytes: number): Buffer | null }
  _applyLongHeaders(): void
  _consumeHeader(): boolean
}

/** Types that are all header, whatever size they claim (as Go's archive/tar and GNU tar read them). */
const headerOnly = new Set(['link', 'symlink', 'character-device', 'block-device', 'directory', 'fifo'])

/**
 * What runs images elsewhere and what scans them reads archives with Go's archive/tar. Where tar-stream reads one
 * differently, the same layer would be two: a member that one sees is content to the other, or never comes. So here
 * tar-stream is made to read as Go does.
 */
export function readAsGoDoes(parser: Dialected): Dialect {
  const apply = parser._applyLongHeaders.bind(parser)
  const end = endAtZeros(parser)
  const header = lastBlock(parser, end.refuseAfterZeros)
  parser._applyLongHeaders = () => {
    apply()
    const { _header: member } = parser
    // The oldest archives have no type of their own for directories; a type of '0' is a file, whatever its name.
    if (header()[156] === 0 && member.name.endsWith('/')) member.type = 'directory'
    // A directory's content would never be read by anybody, and the parser waits for that.
    if (headerOnly.has(member.type ?? '')) member.size = 0
  }
  return { header, isAtEnd: end.isAtEnd }
}

interface Dialect {
  /** The block that the parser took last for a header. */
  header(): Buffer
  /** What follows is not read. */
  isAtEnd(): boolean
}

/** tar-stream gives its blocks to nobody, so they are caught on their way. What `check` throws ends the archive. */
function lastBlock({ _buffer: buffer }: Dialected, check: (block: Buffer) => void): () => Buffer {
  let block: Buffer = Buffer.alloc(0)
  const shift = buffer.shift.bind(buffer)
  buffer.shift = (bytes) => {
    const got = shift(bytes)
    if (bytes !== 512 || !got) return got
    check(got)
    block = got
    return got
  }
  return () => block
}

/** Two blocks of zeros end an archive: what follows is thrown away. One among the members is damage. */
function endAtZeros(parser: Dialected) {
  const { _buffer: buffer } = parser
  let zeroBlocks = 0
  const consume = parser._consumeHeader.bind(parser)
  parser._consumeHeader = () => {
    if (zeroBlocks < 2 && !consume()) return false
    if (zeroBlocks < 2 && parser._header === null) zeroBlocks += 1
    while (zeroBlocks === 2 && buffer.buffered > 0) buffer.shiftFirst(buffer.buffered)
    return true
  }
  return {
    isAtEnd: () => zeroBlocks === 2,
    refuseAfterZeros(block: Buffer): void {
      if (zeroBlocks === 1 && block.some((byte) => byte !== 0))
        throw new KeelsonError('INVALID_ARGUMENT', 'the archive is damaged: it has zeros between its members')
    },
  }
}
