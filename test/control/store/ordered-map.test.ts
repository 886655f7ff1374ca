import test from 'ava'
import fc from 'fast-check'
import { OrderedMap } from '../../../src/control/store/ordered-map.ts'

const anyKey = fc.nat(3_000).map((n) => `k${n}`)

test('it is a map, and walks like a sorted list', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyKey, fc.integer({ min: -1, max: 9 })), { maxLength: 3_000, size: 'max' }),
      anyKey,
      (writes, start) => {
        const map = new OrderedMap<number>()
        const model = new Map<string, number>()
        for (const [key, value] of writes) {
          if (value < 0) t.is(map.delete(key), model.delete(key))
          else map.set(key, value)
          if (value >= 0) model.set(key, value)
        }
        const walked: [string, number][] = []
        map.walk(start, (key, value) => walked.push([key, value]) > 0)
        const expected = [...model].filter(([key]) => key >= start).sort(([a], [b]) => (a < b ? -1 : 1))
        t.deepEqual(walked, expected)
        t.is(map.size, model.size)
        t.is(map.get(start), model.get(start))
      },
    ),
    { numRuns: 30 },
  )
})

test('a walk ends when it is told to', (t) => {
  const map = new OrderedMap<number>()
  for (let i = 0; i < 2_000; i++) map.set(String(i).padStart(4, '0'), i)
  let count = 0
  map.walk('', () => ++count < 700)
  t.is(count, 700)
})
