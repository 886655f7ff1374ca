import type { Readable, Writable } from 'node:stream'
import { extract } from 'tar-stream'
import { asKeelsonError, KeelsonError } from '../../base/index.ts'
import type { Header } from './entry.ts'
import { parsePax } from './pax.ts'

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
interface Internals extends Writable {
  _header: { type: string | null }
  _pax: Record<string, string> | null
  _decodeLongHeader(bytes: Buffer): void
}

/**
 * Hands the members of a tar to the handler, in order and synchronously. All strings are bytes (latin1): tar-stream
 * would read pax records as UTF-8, which damages binary xattrs and names in other encodings, so we decode those
 * ourselves (a test with binary values watches that hook).
 */
export async function readMembers(source: AsyncIterable<Buffer>, handler: MemberHandler): Promise<void> {
  const options: object = { filenameEncoding: 'latin1' }
  const parser = extract(options) as unknown as Internals
  decodePaxAsBytes(parser)
  let failure: unknown
  let open: MemberSink | undefined
  parser.on('entry', (header: Header, stream: Readable, next: (error?: unknown) => void) => {
    stream.on('error', () => undefined) // the parser reports it too
    try {
      const sink = handler.begin(header)
      open = sink
      stream.on('data', (chunk: Buffer) => guard(() => sink?.write(chunk)))
      stream.on('end', () => {
        guard(() => sink?.end())
        sink?.[Symbol.dispose]()
        open = undefined
        next(failure)
      })
    } catch (error) {
      failure = error
      next(error)
    }
  })
  function guard(action: () => void): void {
    if (failure !== undefined) return
    try {
      action()
    } catch (error) {
      failure = error
    }
  }
  let closed = false
  let wake: () => void = () => undefined
  parser.on('drain', () => wake())
  parser.on('close', () => {
    closed = true
    wake()
  })
  const woken = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })
  parser.on('error', (error) => {
    failure ??= error
  })
  try {
    for await (const chunk of source) {
      if (!parser.write(chunk) && !parser.destroyed) await woken()
      if (failure !== undefined || parser.destroyed) break
    }
    if (failure !== undefined) parser.destroy()
    else parser.end()
    while (!closed) await woken()
  } finally {
    if (!parser.destroyed) parser.destroy()
    open?.[Symbol.dispose]()
  }
  if (failure !== undefined) throw parserError(failure)
}

function decodePaxAsBytes(parser: Internals): void {
  const decode = parser._decodeLongHeader.bind(parser)
  parser._decodeLongHeader = (bytes) => {
    if (parser._header.type === 'pax-header') parser._pax = parsePax(bytes)
    else if (parser._header.type === 'pax-global-header') refuseGlobalNames(parsePax(bytes))
    else decode(bytes)
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
