import test from 'ava'
import fc from 'fast-check'
import { applyMergePatch } from '../../../src/api/index.ts'

/** The examples of RFC 7396, appendix A: original, patch, result. */
const examples: [unknown, unknown, unknown][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
]

examples.forEach(([target, patch, result], index) => {
  test(`RFC 7396 example ${index + 1}`, (t) => t.deepEqual(applyMergePatch(target, patch), result))
})

test('applying twice is applying once, and arguments stay as they were', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
      const before = JSON.stringify([target, patch])
      const once = applyMergePatch(target, patch)
      t.deepEqual(applyMergePatch(once, patch), once)
      t.is(JSON.stringify([target, patch]), before)
    }),
  )
})

test('a member called __proto__ is only a member', (t) => {
  const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as { polluted?: boolean }
  t.is(result.polluted, undefined)
  t.is(JSON.stringify(result), '{"__proto__":{"polluted":true}}')
})
