import test from 'ava'
import { inOrderOfPrecedence } from '../../../src/oci/seccomp/precedence.ts'
import type { Condition, Operator } from '../../../src/oci/seccomp/profile.ts'

const is = (index: number, operator: Operator, value: bigint): Condition => ({
  index,
  operator,
  value,
  masked: 0n,
})
/** The rules by their numbers, in the order in which they are tried. */
const order = (wide: boolean, ...rules: Condition[][]) =>
  inOrderOfPrecedence(
    rules.map((conditions, action) => ({ conditions, action })),
    wide,
  ).map(({ action }) => action)

test('a higher argument comes first, then equality, then “less”, then “greater”', (t) => {
  t.deepEqual(order(true, [is(0, 'EQ', 1n)], [is(2, 'GT', 1n)]), [1, 0])
  t.deepEqual(order(true, [is(0, 'GT', 1n)], [is(0, 'LE', 9n)], [is(0, 'NE', 5n)]), [2, 1, 0])
})

test('the narrower range comes first, in both halves', (t) => {
  t.deepEqual(order(true, [is(0, 'GT', 1n)], [is(0, 'GT', 1n << 40n)], [is(0, 'GT', 5n)]), [1, 2, 0])
  t.deepEqual(order(false, [is(0, 'LT', 9n)], [is(0, 'LT', 3n)]), [1, 0])
})

test('a rule that ends where another goes on comes first, and equal beginnings stay together', (t) => {
  const first = is(0, 'EQ', 1n)
  t.deepEqual(order(true, [first, is(1, 'EQ', 2n)], [first]), [1, 0])
  t.deepEqual(order(true, [first, is(1, 'EQ', 2n)], [is(0, 'EQ', 0n)], [first, is(1, 'EQ', 3n)]), [2, 0, 1])
})
