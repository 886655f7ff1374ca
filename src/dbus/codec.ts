import { KeelsonError } from '../base/index.ts'
import { alignmentOf, parseSignature, parseSingle, type Type } from './signature.ts'

/**
 * Values on the wire (D-Bus specification, "Marshaling"):
 *
 *     y n q i u d h   number          x t   bigint         b   boolean        s o g   string
 *     a…              list            (…)   list of its fields                a{kv}   list of [key, value]
 *     v               Variant
 */
export type Value = number | bigint | boolean | string | Variant | readonly Value[]

export class Variant {
  readonly signature: string
  readonly value: Value

  constructor(signature: string, value: Value) {
    this.signature = signature
    this.value = value
  }
}

const arrayBytesMax = 1 << 26

/** Little endian; the first byte is at an offset that is a multiple of 8. */
export function encodeValues(signature: string, values: readonly Value[]): Buffer {
  const types = parseSignature(signature)
  if (types.length !== values.length) throw mismatch(signature)
  const writer = new Writer()
  types.forEach((type, index) => {
    writer.value(type, values[index] as Value)
  })
  return writer.finish()
}

/** DATA_LOSS for bytes that are no such values. */
export function decodeValues(signature: string, bytes: Buffer, littleEndian = true): Value[] {
  const reader = new Reader(bytes, littleEndian)
  try {
    return parseSignature(signature).map((type) => reader.value(type, 0))
  } catch (cause) {
    throw new KeelsonError('DATA_LOSS', `these bytes are no D-Bus values of ${JSON.stringify(signature)}`, {
      cause,
    })
  }
}

class Writer {
  #bytes = Buffer.alloc(256)
  #length = 0

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  value(type: Type, value: Value): void {
    this.#align(alignmentOf(type))
    if (type.kind === 'basic') this.#basic(type.code, value)
    else if (type.kind === 'variant') this.#variant(value)
    else if (!Array.isArray(value)) throw mismatch(type.kind)
    else if (type.kind === 'array') this.#array(type.of, value)
    else this.#fields(type.kind === 'struct' ? type.fields : [type.key, type.value], value)
  }

  #fields(types: readonly Type[], values: readonly Value[]): void {
    if (types.length !== values.length) throw mismatch('struct')
    types.forEach((type, index) => {
      this.value(type, values[index] as Value)
    })
  }

  /** The length counts from the first element, so the padding before it is left out. */
  #array(of: Type, values: readonly Value[]): void {
    const at = this.#reserve(4)
    this.#align(alignmentOf(of))
    const start = this.#length
    for (const one of values) this.value(of, one)
    this.#bytes.writeUInt32LE(this.#length - start, at)
  }

  #variant(value: Value): void {
    if (!(value instanceof Variant)) throw mismatch('variant')
    this.#basic('g', value.signature)
    this.value(parseSingle(value.signature), value.value)
  }

  #basic(code: string, value: Value): void {
    if (code === 's' || code === 'o' || code === 'g') this.#text(code, value)
    else if (code === 'x' || code === 't') this.#wide(code, value)
    else if (code === 'b') this.#narrow('u', value === true ? 1 : 0)
    else if (typeof value === 'number') this.#narrow(code, value)
    else throw mismatch(code)
  }

  /** Room is made first: making it may put other bytes in the place of those there were. */
  #narrow(code: string, value: number): void {
    const at = this.#reserve({ y: 1, n: 2, q: 2, d: 8 }[code] ?? 4)
    if (code === 'y') this.#bytes.writeUInt8(value, at)
    else if (code === 'n') this.#bytes.writeInt16LE(value, at)
    else if (code === 'q') this.#bytes.writeUInt16LE(value, at)
    else if (code === 'i') this.#bytes.writeInt32LE(value, at)
    else if (code === 'd') this.#bytes.writeDoubleLE(value, at)
    else this.#bytes.writeUInt32LE(value, at)
  }

  #wide(code: string, value: Value): void {
    if (typeof value !== 'bigint') throw mismatch(code)
    const at = this.#reserve(8)
    if (code === 'x') this.#bytes.writeBigInt64LE(value, at)
    else this.#bytes.writeBigUInt64LE(value, at)
  }

  #text(code: string, value: Value): void {
    if (typeof value !== 'string' || value.includes('\0')) throw mismatch(code)
    const length = Buffer.byteLength(value)
    this.#narrow(code === 'g' ? 'y' : 'u', length)
    const at = this.#reserve(length + 1)
    this.#bytes.write(value, at)
    this.#bytes[at + length] = 0
  }

  #align(to: number): void {
    const rest = this.#length % to
    if (rest > 0) this.#reserve(to - rest) // new room is zero
  }

  #reserve(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    return at
  }
}

class Reader {
  readonly #bytes: Buffer
  readonly #little: boolean
  #at = 0

  constructor(bytes: Buffer, little: boolean) {
    this.#bytes = bytes
    this.#little = little
  }

  value(type: Type, depth: number): Value {
    if (depth > 64) throw new RangeError('nested too deeply')
    this.#align(alignmentOf(type))
    if (type.kind === 'basic') return this.#basic(type.code)
    if (type.kind === 'struct') return type.fields.map((field) => this.value(field, depth + 1))
    if (type.kind === 'entry') return [this.value(type.key, depth + 1), this.value(type.value, depth + 1)]
    if (type.kind === 'array') return this.#array(type.of, depth)
    const signature = this.#text(this.#take(1, (at) => this.#bytes.readUInt8(at)))
    return new Variant(signature, this.value(parseSingle(signature), depth + 1))
  }

  #array(of: Type, depth: number): Value[] {
    const length = this.#word()
    this.#align(alignmentOf(of))
    const end = this.#at + length
    if (length > arrayBytesMax || end > this.#bytes.length) throw new RangeError('array')
    const values: Value[] = []
    while (this.#at < end) values.push(this.value(of, depth + 1))
    if (this.#at !== end) throw new RangeError('array')
    return values
  }

  #basic(code: string): Value {
    const b = this.#bytes
    const little = this.#little
    if (code === 'y') return this.#take(1, (at) => b.readUInt8(at))
    if (code === 'b') return this.#word() === 1
    if (code === 'n') return this.#take(2, (at) => (little ? b.readInt16LE(at) : b.readInt16BE(at)))
    if (code === 'q') return this.#take(2, (at) => (little ? b.readUInt16LE(at) : b.readUInt16BE(at)))
    if (code === 'i') return this.#take(4, (at) => (little ? b.readInt32LE(at) : b.readInt32BE(at)))
    if (code === 'x') return this.#take(8, (at) => (little ? b.readBigInt64LE(at) : b.readBigInt64BE(at)))
    if (code === 't') return this.#take(8, (at) => (little ? b.readBigUInt64LE(at) : b.readBigUInt64BE(at)))
    if (code === 'd') return this.#take(8, (at) => (little ? b.readDoubleLE(at) : b.readDoubleBE(at)))
    if (code === 'g') return this.#text(this.#take(1, (at) => b.readUInt8(at)))
    if (code === 's' || code === 'o') return this.#text(this.#word())
    return this.#word()
  }

  #word(): number {
    return this.#take(4, (at) => (this.#little ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at)))
  }

  #text(length: number): string {
    return this.#take(length + 1, (at) => {
      if (at + length >= this.#bytes.length || this.#bytes[at + length] !== 0) throw new RangeError('string')
      return this.#bytes.toString('utf8', at, at + length)
    })
  }

  #take<T>(bytes: number, read: (at: number) => T): T {
    const value = read(this.#at)
    this.#at += bytes
    return value
  }

  #align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to
  }
}

function mismatch(what: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `a D-Bus value does not fit its type ${what}`)
}
