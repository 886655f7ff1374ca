import test from 'ava'
import fc from 'fast-check'
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  milliValue,
  parseQuantity,
  wholeValue,
} from '../../src/api/index.ts'
import { hasCode } from '../../src/base/index.ts'

const canonical: [string | number, string][] = [
  ['0', '0'],
  ['0Ki', '0'],
  ['1000m', '1'],
  ['100m', '100m'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.', '1'],
  [2, '2'],
  [0.25, '250m'],
  ['1.5Gi', '1536Mi'],
  ['1023Ki', '1023Ki'],
  ['0.5Ki', '512'],
  ['1500', '1500'],
  ['1000k', '1M'],
  ['100e2', '10e3'],
  ['1e3', '1e3'],
  ['1E', '1E'],
  ['1E3', '1e3'],
  ['-250m', '-250m'],
  ['0.1n', '1n'],
  ['-0.1n', '-1n'],
  ['1e30', '9223372036854775807'],
]

for (const [text, expected] of canonical)
  test(`${text} is written ${expected}`, (t) => t.is(canonicalQuantity(text), expected))

for (const text of ['', ' ', 'x', '1 Gi', '1ki', '1KB', '.', '+', '1e', '0x10', '1Gi1', '--1'])
  test(`${JSON.stringify(text)} is no quantity`, (t) => {
    t.true(
      hasCode(
        t.throws(() => parseQuantity(text)),
        'INVALID_ARGUMENT',
      ),
    )
  })

const anyQuantity = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    fc.nat(100_000),
    fc.option(fc.nat(999), { nil: undefined }),
    fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'Ti', 'e3', 'e-2', 'E7'),
  )
  .map(([sign, whole, part, suffix]) => `${sign}${whole}${part === undefined ? '' : `.${part}`}${suffix}`)

test('the canonical form has the same value and is its own canonical form', (t) => {
  fc.assert(
    fc.property(anyQuantity, (text) => {
      const form = canonicalQuantity(text)
      return compareQuantities(form, text) === 0 && canonicalQuantity(form) === form
    }),
  )
  t.pass()
})

test('adding is exact and does not depend on order', (t) => {
  fc.assert(
    fc.property(anyQuantity, anyQuantity, (a, b) => {
      const sum = addQuantities(a, b)
      return (
        compareQuantities(sum, addQuantities(b, a)) === 0 &&
        parseQuantity(sum).nanos === parseQuantity(a).nanos + parseQuantity(b).nanos
      )
    }),
  )
  t.pass()
})

test('whole and milli values round up', (t) => {
  t.is(wholeValue('1.5Gi'), 1_610_612_736)
  t.is(wholeValue('1100m'), 2)
  t.is(wholeValue('-1100m'), -1)
  t.is(milliValue('0.5'), 500)
  t.is(milliValue('1u'), 1)
})
