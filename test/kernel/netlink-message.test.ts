import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../src/base/index.ts'
import {
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  type NetlinkAttribute,
  readText,
  text,
} from '../../src/kernel/netlink-message.ts'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const attributes = fc.uniqueArray(
  fc.record({ type: fc.integer({ min: 1, max: 0x3fff }), value: bytes(40) }),
  {
    selector: ({ type }) => type,
    maxLength: 8,
  },
)

test('what is encoded is decoded, attribute by attribute, whatever their lengths', (t) => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffff),
      fc.array(attributes, { maxLength: 4 }),
      (type, flags, lists) => {
        const header = Buffer.alloc(8, 7)
        const run = Buffer.concat(lists.map((list) => encodeMessage(type, flags, header, list)))
        const decoded = decodeMessages(run)
        t.is(decoded.length, lists.length)
        decoded.forEach((message, index) => {
          t.is(message.type, type)
          t.is(message.flags, flags)
          const found = [...decodeAttributes(message.payload.subarray(8))]
          t.deepEqual(
            found.map(([key, value]) => ({ type: key, value: value.toString('hex') })),
            (lists[index] ?? []).map(({ type: key, value }) => ({ type: key, value: value.toString('hex') })),
          )
        })
      },
    ),
    { numRuns: 100 },
  )
})

test('nested attributes are found inside their parent', (t) => {
  const inner: NetlinkAttribute[] = [
    { type: 1, value: text('veth') },
    { type: 2, value: [{ type: 3, value: text('deep') }] },
  ]
  const [message] = decodeMessages(encodeMessage(16, 0, Buffer.alloc(16), [{ type: 18, value: inner }]))
  const outer = decodeAttributes(message?.payload.subarray(16) ?? Buffer.alloc(0))
  const middle = decodeAttributes(outer.get(18) ?? Buffer.alloc(0))
  t.is(readText(middle.get(1) ?? Buffer.alloc(0)), 'veth')
  t.is(readText(decodeAttributes(middle.get(2) ?? Buffer.alloc(0)).get(3) ?? Buffer.alloc(0)), 'deep')
})

test('any bytes at all are either decoded or refused as torn, never read past their end', (t) => {
  const survives = (decode: (from: Buffer) => unknown) => (from: Buffer) => {
    try {
      decode(from)
      return true
    } catch (error) {
      return error instanceof KeelsonError && error.code === 'DATA_LOSS'
    }
  }
  fc.assert(fc.property(bytes(80), survives(decodeMessages)))
  fc.assert(fc.property(bytes(80), survives(decodeAttributes)))
  t.throws(() => decodeMessages(Buffer.from([200, 0, 0, 0, ...Buffer.alloc(12)])), { code: 'DATA_LOSS' })
  t.throws(() => decodeAttributes(Buffer.from([2, 0, 1, 0])), { code: 'DATA_LOSS' })
})
