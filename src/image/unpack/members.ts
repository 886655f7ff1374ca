import type { EventEmitter } from 'node:events'
import { extract } from 'tar-stream'
import { asKeelsonError, KeelsonError } from '../../base/index.ts'
import { type Dialected, readAsGoDoes } from './dialects.ts'
import type { Header } from './entry.ts'
import { parsePax } from './pax.ts'
import { maxParts, type Part, readOldNumber, readOldParts } from './sparse.ts'

export interface MemberHandler {
  /** A member begins. What it returns gets the member's bytes, if it has any. */
  begin(header: Header): MemberSink | undefined
}

export interface MemberSink {
  write(chunk: Buffer): void
  /** After the last byte; without it (the archive ended early) the sink is only disposed. */
  end(): void
  [Symbol.dispose](): void
}

/** The parts of tar-stream's extractor that its types leave out. */
interface Internals extends EventEmitter, Dialected {
  _pax: Record<string, string> | null
  _decodeLongHeader(bytes: Buffer): void
  /** Bytes of the member that are still to come. */
  _missing: number
  /** No header is read while this is set. */
  _locked: boolean
  /** Where the bytes of the member go. */
  _stream: Content | null
  _createStream(): Content
  _write(chunk: Buffer, done: (error: Error | null) => void): void
  _final(done: (error: Error | null) => void): void
}

/**
 * Hands the members of a tar to the handler, in order and synchronously. All strings are bytes (latin1): tar-stream
 * would read pax records as UTF-8, which damages binary xattrs and names in other encodings, so we decode those
 * ourselves (a test with binary values watches that hook). Its parser is called in place of its streams, which would
 * cost more than all else that is done for a member.
 */
export async function readMembers(source: AsyncIterable<Buffer>, handler: MemberHandler): Promise<void> {
  const options: object = { filenameEncoding: 'latin1', allowUnknownFormat: true }
  const parser = extract(options) as unknown as Internals
  decodePaxAsBytes(parser)
  const { header: lastBlock, isAtEnd } = readAsGoDoes(parser)
  const oldSparse = readOldSparse(parser, lastBlock)
  parser._createStream = () => new Content(parser)
  parser.on('entry', (header: Header, content: Content) => {
    const sink = oldSparse(header, handler)
    parser._locked = false
    if (parser._stream === content) content.sink = sink
    else endWithoutContent(sink)
  })
  const parse = (chunk: Buffer) => parsing(() => parser._write(chunk, check))
  try {
    // What follows the end belongs to the digest only.
    for await (const chunk of source) if (!isAtEnd()) parse(chunk)
    if (!isAtEnd()) parsing(() => parser._final(check))
  } finally {
    parser._stream?.sink?.[Symbol.dispose]()
  }
}

/** Failures of the source are none of the archive's. */
function parsing(action: () => void): void {
  try {
    action()
  } catch (error) {
    throw parserError(error)
  }
}

/** What tar-stream sees as the stream of a member's bytes. */
class Content {
  readonly #parser: Internals
  sink: MemberSink | undefined

  constructor(parser: Internals) {
    this.#parser = parser
  }

  /** True: it takes more. */
  push(chunk: Buffer | null): boolean {
    if (chunk) this.sink?.write(chunk)
    else this.sink?.end()
    return true
  }

  /** After the last byte: up to the next full block there is filling. */
  _detach(): void {
    this.sink?.[Symbol.dispose]()
    this.#parser._stream = null
    this.#parser._missing = -this.#parser._header.size & 511
  }
}

function endWithoutContent(sink: MemberSink | undefined): void {
  try {
    sink?.end()
  } finally {
    sink?.[Symbol.dispose]()
  }
}

function check(error: Error | null): void {
  if (error) throw error
}

function decodePaxAsBytes(parser: Internals): void {
  const decode = parser._decodeLongHeader.bind(parser)
  parser._decodeLongHeader = (bytes) => {
    if (parser._header.type === 'pax-header') parser._pax = parsePax(bytes)
    else if (parser._header.type === 'pax-global-header') refuseGlobalNames(parsePax(bytes))
    else decode(bytes)
  }
}

/**
 * Members of type `S` (sparse.ts): the map begins in the header and goes on in blocks before the data, of which
 * tar-stream knows nothing. So while there are such blocks, the member is said to be that much longer.
 */
function readOldSparse(
  parser: Internals,
  lastBlock: () => Buffer,
): (header: Header, handler: MemberHandler) => MemberSink | undefined {
  const isOld = () => lastBlock()[156] === 0x53
  const apply = parser._applyLongHeaders.bind(parser)
  parser._applyLongHeaders = () => {
    apply()
    if (!isOld()) return
    parser._header.type = 'file'
    if (lastBlock()[482] !== 0) parser._header.size += 512
  }
  return (header, handler) => {
    if (!isOld()) return handler.begin(header)
    const block = lastBlock()
    const map = readOldParts(block, 386, 4)
    const realBytes = readOldNumber(block, 483)
    if (block[482] === 0) return handler.begin({ ...header, sparse: { realBytes, map } })
    const grow = () => {
      parser._missing += 512
    }
    return new ContinuedMap(map, grow, () => handler.begin({ ...header, sparse: { realBytes, map } }))
  }
}

const partsOfBlock = 21

/** Takes the blocks that continue an old sparse map, then begins the member. */
class ContinuedMap implements MemberSink {
  readonly #map: Part[]
  readonly #grow: () => void
  readonly #begin: () => MemberSink | undefined
  #block: Buffer = Buffer.alloc(0)
  #sink: MemberSink | undefined
  #complete = false
  /** Parts that the blocks so far had room for: blocks may be empty, and still go on for ever. */
  #room = 0

  constructor(map: Part[], grow: () => void, begin: () => MemberSink | undefined) {
    this.#map = map
    this.#grow = grow
    this.#begin = begin
  }

  write(chunk: Buffer): void {
    let rest = chunk
    while (!this.#complete && rest.length > 0) {
      const part = rest.subarray(0, 512 - this.#block.length)
      this.#block = Buffer.concat([this.#block, part])
      rest = rest.subarray(part.length)
      if (this.#block.length === 512) this.#take()
    }
    if (rest.length > 0) this.#sink?.write(rest)
  }

  end(): void {
    if (!this.#complete)
      throw new KeelsonError('INVALID_ARGUMENT', 'the archive has a sparse map without an end')
    this.#sink?.end()
  }

  [Symbol.dispose](): void {
    this.#sink?.[Symbol.dispose]()
  }

  #take(): void {
    this.#map.push(...readOldParts(this.#block, 0, partsOfBlock))
    this.#room += partsOfBlock
    this.#complete = this.#block[504] === 0
    if (this.#complete) this.#sink = this.#begin()
    else if (this.#room > maxParts)
      throw new KeelsonError('INVALID_ARGUMENT', 'the archive has a sparse map that is too long')
    else this.#grow()
    this.#block = Buffer.alloc(0)
  }
}

/** A global header that renames every later member has no honest use; its other records say nothing we keep. */
function refuseGlobalNames(records: Record<string, string>): void {
  for (const key of ['path', 'linkpath', 'size'])
    if (key in records)
      throw new KeelsonError('INVALID_ARGUMENT', `the archive sets "${key}" for all of its members`)
}

/** tar-stream's own complaints are plain errors about the archive. */
function parserError(error: unknown): KeelsonError {
  if (error instanceof KeelsonError) return error
  const known = asKeelsonError(error)
  if (known.code !== 'INTERNAL') return known
  return new KeelsonError('INVALID_ARGUMENT', `the archive is damaged: ${known.message}`, { cause: error })
}
