import test from 'ava'
import { parseRanges } from '../../src/network/pod-ranges.ts'

test('one range, or one of each family in either order', (t) => {
  t.deepEqual(parseRanges('10.42.0.0/16'), { four: '10.42.0.0/16' })
  const both = { four: '10.42.0.0/16', six: 'fd00:42::/64' }
  t.deepEqual(parseRanges('10.42.0.0/16,fd00:42::/64'), both)
  t.deepEqual(parseRanges('fd00:42::/64, 10.42.0.0/16'), both)
})

for (const text of [
  '',
  'fd00::/64',
  '10.0.0.0/8,10.1.0.0/16',
  '10.0.0.0/8,fd00::/64,fd01::/64',
  '10.0.0.0/8,x',
  '10.0.0.0',
])
  test(`refused: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseRanges(text), { code: 'INVALID_ARGUMENT' })
  })
