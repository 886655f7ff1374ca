import { KeelsonError } from '../../base/index.ts'

/** One field as it lies on the wire: a number for varints and fixed sizes, bytes for everything else. */
export interface WireField {
  number: number
  value: bigint | Uint8Array
}

/** The fields of a message in their order (protobuf encoding, wire types 0, 1, 2 and 5). */
export function* readFields(bytes: Uint8Array): Iterable<WireField> {
  const reader = new Reader(bytes)
  while (!reader.done) {
    const tag = Number(reader.varint())
    yield { number: tag >>> 3, value: reader.value(tag & 7) }
  }
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  value(wireType: number): bigint | Uint8Array {
    switch (wireType) {
      case 0:
        return this.varint()
      case 1:
        return this.#take(8)
      case 2:
        return this.#take(Number(this.varint()))
      case 5:
        return this.#take(4)
      default:
        throw broken(`wire type ${wireType}`)
    }
  }

  varint(): bigint {
    let result = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw broken('it ends inside a number')
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, result)
    }
    throw broken('a number is longer than ten bytes')
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length
    if (!(end <= this.#bytes.length)) throw broken('it ends inside a field')
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }
}

export function broken(why: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `not a protobuf message of this kind: ${why}`)
}
