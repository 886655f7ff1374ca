import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import type { ProtoField, ProtoFile } from './proto-messages.ts'

/** Words by field: what a hostile caller would write there; `''` for every other field. */
export type Words = (field: ProtoField) => fc.Arbitrary<string>

/**
 * Bytes of a message that says anything: each field is absent as a rule, and when it is there it has a value of its
 * type that nobody expects. Bytes of two messages, one after the other, are those of both merged, so put behind a good
 * message they spoil it in a place or two.
 */
export function messageBytes(
  proto: ProtoFile,
  name: string,
  words: Words,
  depth = 4,
): fc.Arbitrary<Uint8Array> {
  const fields = (proto.messages.get(name) ?? []).filter(
    (field) => depth > 0 || !proto.messages.has(field.type),
  )
  if (fields.length === 0) return fc.constant(new Uint8Array())
  const some = fc.constantFrom(...fields).chain((field) => fieldBytes(proto, field, words, depth))
  return fc.array(some, { maxLength: 3 }).map((parts) => Buffer.concat(parts))
}

function fieldBytes(
  proto: ProtoFile,
  field: ProtoField,
  words: Words,
  depth: number,
): fc.Arbitrary<Uint8Array> {
  const { number, type, map } = field
  if (map) return mapEntry(field, words)
  if (proto.messages.has(type))
    return messageBytes(proto, type, words, depth - 1).map((bytes) =>
      written(number, WireType.LengthDelimited, (w) => w.bytes(bytes)),
    )
  if (type === 'string')
    return words(field).map((text) => written(number, WireType.LengthDelimited, (w) => w.string(text)))
  if (type === 'bytes')
    return fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => written(number, WireType.LengthDelimited, (w) => w.bytes(bytes)))
  if (type === 'bool') return fc.boolean().map((yes) => written(number, WireType.Varint, (w) => w.bool(yes)))
  if (type === 'double')
    return fc.double().map((value) => written(number, WireType.Bit64, (w) => w.double(value)))
  return numberOf(proto, type).map((value) => written(number, WireType.Varint, (w) => w.int64(value)))
}

function numberOf(proto: ProtoFile, type: string): fc.Arbitrary<bigint> {
  const edges = [
    0n,
    1n,
    -1n,
    2n ** 31n - 1n,
    2n ** 31n,
    -(2n ** 31n),
    2n ** 53n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ]
  const known = (proto.enums.get(type) ?? []).map(BigInt)
  if (known.length > 0) return fc.constantFrom(...known, 77n, -1n)
  return fc.oneof(fc.constantFrom(...edges), fc.bigInt(-2000n, 200_000n))
}

function mapEntry(field: ProtoField, words: Words): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(words({ ...field, name: `${field.name}.key` }), words({ ...field, name: `${field.name}.value` }))
    .map(([key, value]) => {
      const entry = new BinaryWriter()
        .tag(1, WireType.LengthDelimited)
        .string(key)
        .tag(2, WireType.LengthDelimited)
        .string(value)
      return written(field.number, WireType.LengthDelimited, (w) => w.bytes(entry.finish()))
    })
}

function written(number: number, type: WireType, value: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return value(new BinaryWriter().tag(number, type)).finish()
}
