import test from 'ava'
import fc from 'fast-check'
import { encodeExactJson, parseExactJson } from '../../src/base/exact-json.ts'

test('what has no long numbers is JSON.parse’s', (t) => {
  const text = '{"a":[1,-2.5,"x",null,true],"b":1e30}'
  t.deepEqual(parseExactJson(text), JSON.parse(text))
})

test('whole numbers beyond 2^53 are bigint, wherever they stand, and text stays text', (t) => {
  const text =
    '{"big":18446744073709551615,"list":[-9223372036854775808,9007199254740991],"text":"18446744073709551615"}'
  const value = parseExactJson(text)
  t.deepEqual(value, {
    big: 18446744073709551615n,
    list: [-9223372036854775808n, 9007199254740991],
    text: '18446744073709551615',
  })
  t.is(encodeExactJson(value), text)
})

test('fractions and exponents are numbers, escapes in text do not confuse', (t) => {
  const text = '{"a":12345678901234567.5,"b":12345678901234567e2,"c":"\\\\\\"1234567890123456789"}'
  t.deepEqual(parseExactJson(text), JSON.parse(text))
})

test('a broken text has the error of JSON.parse', (t) => {
  const text = '{"a":18446744073709551615,}'
  const wanted = t.throws(() => JSON.parse(text))?.message
  t.throws(() => parseExactJson(text), { message: wanted ?? '' })
})

test('what was written is read again', (t) => {
  const leaf = fc.oneof(
    fc.string().filter((text) => !text.startsWith('\0exact')),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }),
    fc.boolean(),
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      leaf,
      fc.array(tie('tree')),
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        tie('tree'),
      ),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      t.deepEqual(
        parseExactJson(encodeExactJson(value)),
        JSON.parse(JSON.stringify(value, keepBig), restoreBig),
      )
    }),
  )
})

function keepBig(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { big: String(value) } : value
}

function restoreBig(_: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'big' in value && typeof value.big === 'string'
    ? BigInt(value.big)
    : value
}
