import test from 'ava'
import fc from 'fast-check'
import { duplicateKeys } from '../../../../src/control/apiserver/registry/duplicate-keys.ts'

test('keys that occur twice are named by their path', (t) => {
  t.deepEqual(duplicateKeys('{"a":1,"a":2}'), ['a'])
  t.deepEqual(duplicateKeys('{"spec":{"list":[{"x":1},{"x":1,"y":{},"x":[]}]}}'), ['spec.list[1].x'])
  t.deepEqual(duplicateKeys('{"a":"a\\"b","b":{"a":{"a":1}}}'), [])
  t.deepEqual(duplicateKeys('{"a\\u0062":1,"ab":2}'), ['ab'])
  t.deepEqual(duplicateKeys('{"a":["a","a",{"b":"a"}],"c":"a"}'), [])
})

test('what JSON.stringify writes has no duplicates', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => duplicateKeys(JSON.stringify(value, null, 1)).length === 0),
  )
  t.pass()
})

test('a body made of duplicates costs no more than its own size', (t) => {
  const duplicates = Array.from({ length: 1000 }, (_, index) => `"k${index}":1,"k${index}":1`).join()
  t.is(duplicateKeys(`${'{"a":'.repeat(500)}{${duplicates}}${'}'.repeat(500)}`).length, 100)
})
