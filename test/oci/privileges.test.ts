import test from 'ava'
import fc from 'fast-check'
import { isFirstUserNamespace, parseSubordinateIds } from '../../src/oci/privileges.ts'

test('ranges of a user by its name or number; other lines are nobody’s', (t) => {
  const text = 'root:1:2\nann:100000:65536\n# ann:5:5\n1001:200000:10\nann:x:1\nann:3:0\nanna:7:7\n'
  t.deepEqual(parseSubordinateIds(text, ['1001', 'ann']), [
    { start: 100000, count: 65536 },
    { start: 200000, count: 10 },
  ])
  t.deepEqual(parseSubordinateIds(text, ['1002', undefined]), [])
})

test('whatever the file holds, reading it does not fail', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const { start, count } of parseSubordinateIds(text, ['a', 'root']))
        t.true(Number.isInteger(start) && count > 0)
    }),
  )
  t.pass()
})

test('only the first user namespace maps every id to itself', (t) => {
  t.true(isFirstUserNamespace('         0          0 4294967295\n'))
  t.false(isFirstUserNamespace('         0       1000          1\n'))
  t.false(isFirstUserNamespace('0 0 4294967295\n1 1 1\n'))
  t.false(isFirstUserNamespace(''))
})
