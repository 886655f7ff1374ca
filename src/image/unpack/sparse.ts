import { ftruncateSync, writeSync } from 'node:fs'
import { KeelsonError } from '../../base/index.ts'

/**
 * Sparse members as GNU tar writes them (tar(1) manual, "Storing Sparse Files"): the archive holds only the parts of
 * a file that are no holes, and a map of where they go. Formats differ in where the map is:
 *
 *     old GNU   in the header, type `S`, continued in blocks before the data    (members.ts)
 *     PAX 0.0   pax records GNU.sparse.offset and GNU.sparse.numbytes in turn   (pax.ts joins them)
 *     PAX 0.1   pax record GNU.sparse.map, `offset,bytes,offset,bytes,…`
 *     PAX 1.0   in the data, before it: decimal lines, filled up to a block
 */
export interface Sparse {
  /** With its holes. */
  realBytes: number
  /** Undefined: it comes at the beginning of the data. */
  map: readonly Part[] | undefined
}

export interface Part {
  offset: number
  bytes: number
}

const blockBytes = 512
export const maxParts = 1_000_000
const maxDigits = 16

/** What pax records say; undefined for a file that is not sparse. The name is `GNU.sparse.name`, where there is one. */
export function readPaxSparse(pax: Record<string, string>): Sparse | undefined {
  const size = pax['GNU.sparse.realsize'] ?? pax['GNU.sparse.size']
  if (size === undefined) return undefined
  const realBytes = decimal(size)
  const { 'GNU.sparse.major': major, 'GNU.sparse.minor': minor, 'GNU.sparse.map': map } = pax
  if (major === '1' && minor === '0') return { realBytes, map: undefined }
  if (map === undefined) broken('a sparse file without a map')
  return { realBytes, map: pairs(map === '' ? [] : map.split(',').map(decimal)) }
}

export function pairs(numbers: readonly number[]): Part[] {
  if (numbers.length % 2 !== 0) broken('a sparse map of odd length')
  if (numbers.length > 2 * maxParts) broken('a sparse map that is too long')
  return Array.from({ length: numbers.length / 2 }, (_, at) => ({
    offset: numbers[2 * at] ?? 0,
    bytes: numbers[2 * at + 1] ?? 0,
  }))
}

/** Parts lie in order, apart and inside the file. */
function checkMap(map: readonly Part[], realBytes: number): void {
  let end = 0
  for (const { offset, bytes } of map) {
    if (offset < end || offset + bytes > realBytes) broken('a sparse map that contradicts itself')
    end = offset + bytes
  }
}

/** Puts the data of a sparse member where the map says. */
export class SparseWriter {
  readonly #fd: number
  readonly #realBytes: number
  #map: readonly Part[] | undefined
  readonly #mapReader = new MapReader()
  #part = 0
  #inPart = 0

  constructor(fd: number, { realBytes, map }: Sparse) {
    this.#fd = fd
    this.#realBytes = realBytes
    if (map) checkMap(map, realBytes)
    this.#map = map
  }

  write(chunk: Buffer): void {
    const data = this.#map ? chunk : this.#readMap(chunk)
    for (let rest = data; rest.length > 0; ) {
      const part = this.#map?.[this.#part]
      if (!part) broken('more data than the sparse map has room for')
      const bytes = Math.min(rest.length, part.bytes - this.#inPart)
      writeAt(this.#fd, rest.subarray(0, bytes), part.offset + this.#inPart)
      this.#inPart += bytes
      rest = rest.subarray(bytes)
      this.#skipFull()
    }
  }

  /** The last hole, too, and nothing is left out. */
  end(): void {
    if (!this.#map) broken('a sparse file whose map ends early')
    this.#skipFull()
    if (this.#part < this.#map.length) broken('less data than the sparse map says')
    ftruncateSync(this.#fd, this.#realBytes)
  }

  #skipFull(): void {
    for (
      let part = this.#map?.[this.#part];
      part && this.#inPart >= part.bytes;
      part = this.#map?.[this.#part]
    ) {
      this.#part += 1
      this.#inPart = 0
    }
  }

  /** Takes in a PAX 1.0 map; gives what follows it. */
  #readMap(chunk: Buffer): Buffer {
    const rest = this.#mapReader.read(chunk)
    if (!rest) return Buffer.alloc(0)
    this.#map = this.#mapReader.parts()
    checkMap(this.#map, this.#realBytes)
    this.#skipFull()
    return rest
  }
}

/** The lines of a PAX 1.0 map, each taken in once: how many parts there are, then offset and length of each. */
class MapReader {
  readonly #numbers: number[] = []
  #wanted = 1
  #line = ''
  /** Of earlier chunks. */
  #bytes = 0

  /** What follows the map and its filling; undefined while there is more of them to come. */
  read(chunk: Buffer): Buffer | undefined {
    let at = 0
    while (this.#numbers.length < this.#wanted) {
      const end = chunk.indexOf(0x0a, at)
      this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end)
      if (end < 0) return this.#wait(chunk)
      this.#number(decimal(this.#line))
      this.#line = ''
      at = end + 1
    }
    const start = Math.ceil((this.#bytes + at) / blockBytes) * blockBytes - this.#bytes
    return chunk.length < start ? this.#wait(chunk) : chunk.subarray(start)
  }

  parts(): Part[] {
    return pairs(this.#numbers.slice(1))
  }

  #wait(chunk: Buffer): undefined {
    if (this.#line.length > maxDigits) broken('a sparse map that is no number')
    this.#bytes += chunk.length
  }

  #number(value: number): void {
    if (this.#numbers.length === 0 && value > maxParts) broken('a sparse map that is too long')
    if (this.#numbers.length === 0) this.#wanted = 1 + 2 * value
    this.#numbers.push(value)
  }
}

/** Of the old format: twelve octal digits, or base-256 where the first bit is set. */
export function readOldNumber(block: Buffer, at: number): number {
  if ((block[at] ?? 0) & 0x80) {
    const value = block.readUIntBE(at + 6, 6)
    if (block.subarray(at + 1, at + 6).some((byte) => byte !== 0)) broken('a sparse map out of range')
    return value
  }
  const digits = block.toString('latin1', at, at + 12).replace(/[\0 ].*$/s, '')
  if (!/^[0-7]*$/.test(digits)) broken('a sparse map that is no number')
  return Number.parseInt(digits || '0', 8)
}

/** The parts that a block of the old format holds, up to `count`; an offset and a length of twelve bytes each. */
export function readOldParts(block: Buffer, at: number, count: number): Part[] {
  const parts: Part[] = []
  for (let index = 0; index < count; index++) {
    const place = at + 24 * index
    if (block[place] === 0 || block[place + 12] === 0) break
    parts.push({ offset: readOldNumber(block, place), bytes: readOldNumber(block, place + 12) })
  }
  return parts
}

function writeAt(fd: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at)
}

function decimal(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : broken('a sparse map that is no number')
}

function broken(what: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `the archive has ${what}`)
}
