import { gzipSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { Decoder } from '../../src/kernel/index.ts'

/** In pieces of so many bytes, over and over. */
function decode(decoder: Decoder, input: Buffer, sizes: readonly number[]): Buffer {
  const output: Buffer[] = []
  for (let at = 0, turn = 0; at < input.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    output.push(...decoder.decode(input.subarray(at, at + size)))
    at += size
  }
  return Buffer.concat(output)
}

const member = fc
  .record({ content: fc.uint8Array({ maxLength: 3000 }), times: fc.integer({ min: 1, max: 400 }) })
  .map(({ content, times }) => Buffer.concat(Array.from({ length: times }, () => content)))

test('gzip: members of any content, cut anywhere, are what went in', (t) => {
  const members = fc.array(fc.record({ bytes: member, level: fc.integer({ min: 0, max: 9 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 })
  const check = fc.property(members, sizes, fc.nat({ max: 1024 }), (all, cuts, padding) => {
    const decoder = new Decoder('gzip')
    const packed = Buffer.concat(all.map(({ bytes, level }) => gzipSync(bytes, { level })))
    const output = decode(decoder, Buffer.concat([packed, Buffer.alloc(padding)]), cuts)
    return decoder.isWhole && output.equals(Buffer.concat(all.map(({ bytes }) => bytes)))
  })
  fc.assert(check, { numRuns: 60 })
  t.pass()
})

test('gzip: what is cut short is not whole, and what is damaged is refused', (t) => {
  const packed = gzipSync(Buffer.alloc(100_000, 'keel'))
  for (const length of [packed.length - 1, packed.length - 8, 11, 4]) {
    const decoder = new Decoder('gzip')
    decode(decoder, packed.subarray(0, length), [7])
    t.false(decoder.isWhole, String(length))
  }
  const wrongSum = Buffer.from(packed)
  wrongSum.writeUInt32LE(1, packed.length - 8)
  const noMember = Buffer.concat([packed, Buffer.from('something else')])
  for (const damaged of [wrongSum, noMember, Buffer.from('\x1f\x8b\x07nothing that is known')])
    t.throws(() => decode(new Decoder('gzip'), damaged, [65_536]), { message: /EBADMSG/ })
})
