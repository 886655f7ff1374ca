import test from 'ava'
import fc from 'fast-check'
import { decodeValues, encodeValues, type Value, Variant } from '../../src/dbus/codec.ts'
import { encodeMessage, type Message, MessageReader, messageType } from '../../src/dbus/message.ts'
import { parseSignature } from '../../src/dbus/signature.ts'

type Typed = [signature: string, value: Value]

const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((one) => !one.includes('\0'))
const basic: fc.Arbitrary<Typed> = fc.oneof(
  fc.tuple(fc.constant('y'), fc.integer({ min: 0, max: 255 })),
  fc.tuple(fc.constant('b'), fc.boolean()),
  fc.tuple(fc.constant('n'), fc.integer({ min: -32768, max: 32767 })),
  fc.tuple(fc.constant('q'), fc.integer({ min: 0, max: 65535 })),
  fc.tuple(fc.constant('i'), fc.integer()),
  fc.tuple(fc.constant('u'), fc.integer({ min: 0, max: 0xffffffff })),
  fc.tuple(fc.constant('x'), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  fc.tuple(fc.constant('t'), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  fc.tuple(fc.constant('d'), fc.double({ noNaN: true })),
  fc.tuple(fc.constant('s'), text),
)
const { any } = fc.letrec<{ any: Typed; struct: Typed; variant: Typed; array: Typed; entries: Typed }>(
  (tie) => ({
    any: fc.oneof({ depthSize: 'small' }, basic, tie('struct'), tie('variant'), tie('array'), tie('entries')),
    struct: fc
      .array(tie('any'), { minLength: 1, maxLength: 4 })
      .map((all): Typed => [`(${all.map(([one]) => one).join('')})`, all.map(([, value]) => value)]),
    variant: tie('any').map(
      ([signature, value]): Typed => ['v', new Variant(signature.slice(0, 255), value)],
    ),
    array: fc
      .tuple(tie('any'), fc.nat(3))
      .map(([[of, value], count]): Typed => [`a${of}`, new Array(count).fill(value)]),
    entries: fc
      .tuple(basic, tie('any'), fc.nat(2))
      .map(([[k, key], [v, value], count]): Typed => [`a{${k}${v}}`, new Array(count).fill([key, value])]),
  }),
)
const fits = ([signature]: Typed) => signature.length < 200

test('any values of any types come back as they were', (t) => {
  fc.assert(
    fc.property(fc.array(any.filter(fits), { maxLength: 4 }), (all) => {
      const signature = all.map(([one]) => one).join('')
      if (signature.length > 255) return
      const values = all.map(([, value]) => value)
      t.deepEqual(decodeValues(signature, encodeValues(signature, values)), values)
    }),
  )
})

test('messages come back whole, however the stream is cut', (t) => {
  const message = fc.tuple(fc.array(any.filter(fits), { maxLength: 2 }), text).map(
    ([all, member]): Message => ({
      type: messageType.call,
      flags: 0,
      serial: 7,
      path: '/a',
      member: `M${member}`,
      signature: all.map(([one]) => one).join(''),
      body: all.map(([, value]) => value),
    }),
  )
  fc.assert(
    fc.property(fc.array(message, { maxLength: 3 }), fc.integer({ min: 1, max: 50 }), (messages, step) => {
      if (messages.some(({ signature }) => signature.length > 255)) return
      const bytes = Buffer.concat(messages.map(encodeMessage))
      const reader = new MessageReader()
      const read: Message[] = []
      for (let at = 0; at < bytes.length; at += step) read.push(...reader.push(bytes.subarray(at, at + step)))
      // A signature that is empty is not sent.
      t.deepEqual(read, messages)
    }),
  )
})

test('as the specification lays them out: lengths, padding, NUL', (t) => {
  t.deepEqual([...encodeValues('ysu', [1, 'ab', 2])], [1, 0, 0, 0, 2, 0, 0, 0, 97, 98, 0, 0, 2, 0, 0, 0])
  // The padding before the first element of 8 bytes does not count into the array's length.
  t.deepEqual([...encodeValues('at', [[5n]])], [8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
  t.deepEqual([...encodeValues('v', [new Variant('q', 9)])], [1, 113, 0, 0, 9, 0])
})

test('broken bytes are refused, never read past their end or for ever', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const signature of ['a(sv)', 'as', 'v', 'a{sv}', 'ssax'])
        try {
          decodeValues(signature, Buffer.from(bytes))
        } catch (error) {
          t.regex(String(error), /no D-Bus/)
        }
    }),
  )
  t.throws(() =>
    new MessageReader().push(Buffer.from('l\x01\0\x01\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff', 'latin1')),
  )
})

test('what is no signature is refused', (t) => {
  for (const signature of ['(', '()', 'a', 'a{vs}', 'a{s}', 'z', 'a'.repeat(60), '(s', 's)'])
    t.throws(() => parseSignature(signature), { message: /no D-Bus signature/ }, signature)
})
