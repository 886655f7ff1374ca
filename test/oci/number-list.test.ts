import test from 'ava'
import fc from 'fast-check'
import { numberListMask } from '../../src/oci/number-list.ts'

function numbersIn(mask: Uint8Array): number[] {
  return [...mask].flatMap((byte, at) =>
    [...Array(8).keys()].filter((bit) => (byte >> bit) & 1).map((bit) => at * 8 + bit),
  )
}

test('numbers and ranges, in whole words, with blanks as the kernel prints none', (t) => {
  t.deepEqual(numbersIn(numberListMask('0-2, 8,64', 'p')), [0, 1, 2, 8, 64])
  t.is(numberListMask('0', 'p').length, 8)
  t.is(numberListMask('64', 'p').length, 16)
  t.is(numberListMask('', 'p').length, 0)
})

test('whatever set of numbers is written, its mask has exactly those', (t) => {
  const ranges = fc.array(fc.tuple(fc.nat(300), fc.nat(40)), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(ranges, (list) => {
      const text = list.map(([from, more]) => (more === 0 ? `${from}` : `${from}-${from + more}`)).join(',')
      const wanted = new Set(
        list.flatMap(([from, more]) => Array.from({ length: more + 1 }, (_, i) => from + i)),
      )
      t.deepEqual(
        numbersIn(numberListMask(text, 'p')),
        [...wanted].sort((a, b) => a - b),
      )
    }),
  )
})

test('whatever text is written, the answer is a mask or an INVALID_ARGUMENT with the path', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        t.is(numberListMask(text, 'the.path').length % 8, 0)
      } catch (error) {
        t.like(error as object, { code: 'INVALID_ARGUMENT', path: 'the.path' })
      }
    }),
  )
  for (const text of ['3-1', '1-', '-1', '8192', '0x1', 'all'])
    t.throws(() => numberListMask(text, 'p'), undefined, text)
})
