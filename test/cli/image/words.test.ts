import test from 'ava'
import fc from 'fast-check'
import { ageWords, readSpan, sizeWords } from '../../../src/cli/image/words.ts'

test('sizes have three digits and a decimal unit', (t) => {
  const table: [number, string][] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [21_345_678, '21.3MB'],
    [1_234_567_890_123, '1.23TB'],
    [999_999, '1000kB'],
  ]
  for (const [bytes, words] of table) t.is(sizeWords(bytes), words)
})

test('ages are in their largest unit; what is not known is a dash', (t) => {
  t.is(ageWords(0, 3 * 86_400_000 + 5), '3d')
  t.is(ageWords(0, 59_999), '59s')
  t.is(ageWords(10, 0), '0s', 'a clock that went back')
  t.is(ageWords(undefined, 0), '-')
  t.is(ageWords(Number.NaN, 0), '-')
})

test('a time is read as it is written, and nothing else is one', (t) => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(59), (hours, minutes) => {
      t.is(readSpan('min-age', `${hours}h${minutes}m`), (hours * 60 + minutes) * 60_000)
    }),
  )
  for (const text of ['', '5', 'h', '1h 2m', '-1h', '1y'])
    t.throws(() => readSpan('min-age', text), { message: /--min-age: a time like/ })
})
