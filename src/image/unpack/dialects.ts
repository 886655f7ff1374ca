import type { Header } from './entry.ts'

/** The parts of tar-stream's extractor that its types leave out. */
export interface Dialected {
  _header: Header & { type: string | null; size: number }
  _applyLongHeaders(): void
}

/** Types that are all header, whatever size they claim (as Go's archive/tar and GNU tar read them). */
const headerOnly = new Set(['link', 'symlink', 'character-device', 'block-device', 'directory', 'fifo'])

/**
 * What runs images elsewhere and what scans them reads archives with Go's archive/tar. Where tar-stream reads one
 * differently, the same layer would be two: a member that one sees is content to the other, or never comes. So here
 * tar-stream is made to read as Go does.
 */
export function readAsGoDoes(parser: Dialected): void {
  const apply = parser._applyLongHeaders.bind(parser)
  parser._applyLongHeaders = () => {
    apply()
    // A directory's content would never be read by anybody, and the parser waits for that.
    if (headerOnly.has(parser._header.type ?? '')) parser._header.size = 0
  }
}
