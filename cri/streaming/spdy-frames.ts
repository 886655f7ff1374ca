import { CriError } from '../error.ts'

/**
 * Frames of SPDY/3.1 as bytes (draft-mbelshe-httpbis-spdy-00, 2.2):
 *
 *   data:     0|stream id (31)         flags (8)|length (24)   bytes
 *   control:  1|version (15)|kind (16) flags (8)|length (24)   body
 *
 * A data frame is handed on in the pieces in which it comes, a control frame as a whole: nobody makes us keep more than
 * one of the latter, and that is bounded.
 */
export type SpdyFrame =
  | { type: 'data'; streamId: number; payload: Buffer; fin: boolean }
  | { type: 'control'; kind: number; flags: number; body: Buffer }

export const controlKind = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  ping: 6,
  goAway: 7,
  headers: 8,
} as const

export const finFlag = 1

const headBytes = 8
const version = 3
const controlBytesMax = 64 * 1024

interface OpenFrame {
  isControl: boolean
  /** Stream id or kind. */
  number: number
  flags: number
  left: number
  parts: Buffer[]
}

/** Bytes in whatever pieces to frames; throws at what is no SPDY/3. */
export class FrameReader {
  #head = Buffer.alloc(0)
  #frame: OpenFrame | undefined;

  *feed(chunk: Buffer): Generator<SpdyFrame> {
    for (let rest = chunk; ; ) {
      if (!this.#frame) rest = this.#readHead(rest)
      const frame = this.#frame
      if (!frame) return
      const piece = rest.subarray(0, frame.left)
      rest = rest.subarray(piece.length)
      frame.left -= piece.length
      const isWhole = frame.left === 0
      if (isWhole) this.#frame = undefined
      yield* pieceOf(frame, piece, isWhole)
      if (!isWhole) return
    }
  }

  #readHead(chunk: Buffer): Buffer {
    const taken = headBytes - this.#head.length
    const head = Buffer.concat([this.#head, chunk.subarray(0, taken)])
    if (head.length < headBytes) {
      this.#head = head
      return chunk.subarray(taken)
    }
    this.#head = Buffer.alloc(0)
    this.#frame = openFrame(head)
    return chunk.subarray(taken)
  }
}

function openFrame(head: Buffer): OpenFrame {
  const first = head.readUInt32BE(0)
  const isControl = first >= 0x8000_0000
  const frame = { flags: head.readUInt8(4), left: head.readUIntBE(5, 3), parts: [] }
  if (!isControl) return { isControl, number: first, ...frame }
  if (((first >>> 16) & 0x7fff) !== version)
    throw new CriError('INVALID_ARGUMENT', 'the client sent a frame of another protocol than SPDY/3')
  if (frame.left > controlBytesMax)
    throw new CriError('INVALID_ARGUMENT', `the client sent a control frame of ${frame.left} bytes`)
  return { isControl, number: first & 0xffff, ...frame }
}

function* pieceOf(frame: OpenFrame, piece: Buffer, isWhole: boolean): Generator<SpdyFrame> {
  const { isControl, number, flags, parts } = frame
  if (!isControl) {
    const fin = isWhole && (flags & finFlag) !== 0
    if (fin || piece.length > 0) yield { type: 'data', streamId: number, payload: piece, fin }
    return
  }
  if (piece.length > 0) parts.push(piece)
  if (isWhole) yield { type: 'control', kind: number, flags, body: Buffer.concat(parts) }
}

/** The head of a data frame; at most 16 MiB - 1 bytes follow it. */
export function dataHead(streamId: number, bytes: number, fin = false): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt32BE(streamId)
  head.writeUInt8(fin ? finFlag : 0, 4)
  head.writeUIntBE(bytes, 5, 3)
  return head
}

export function controlFrame(
  kind: number,
  words: readonly number[],
  block: Buffer = Buffer.alloc(0),
): Buffer {
  const frame = Buffer.alloc(headBytes + 4 * words.length)
  frame.writeUInt16BE(0x8000 | version)
  frame.writeUInt16BE(kind, 2)
  frame.writeUIntBE(4 * words.length + block.length, 5, 3)
  words.forEach((word, index) => void frame.writeUInt32BE(word, headBytes + 4 * index))
  return Buffer.concat([frame, block])
}
