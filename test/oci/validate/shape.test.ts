import test from 'ava'
import { checkShape, ranges, type Shape } from '../../../src/oci/validate/shape.ts'

const shape: Shape = {
  fields: {
    name: 'string',
    count: ranges.u16,
    kind: { words: ['a', 'b'] },
    list: { list: 'boolean' },
    map: { map: 'string' },
  },
  required: ['name'],
}

test('a value of the shape comes back without nulls, with fields nobody knows', (t) => {
  const value = { name: 'x', count: 3, kind: null, list: [true], map: { a: 'b', c: null }, other: [1] }
  t.deepEqual(checkShape(value, shape, ''), {
    name: 'x',
    count: 3,
    list: [true],
    map: { a: 'b' },
    other: [1],
  })
})

test('what is found and what is expected are both told', (t) => {
  for (const [value, message] of [
    [[], 'the configuration: must be an object, not a list'],
    [{}, 'name: is missing'],
    [{ name: 5 }, 'name: must be a string, not the number 5'],
    [{ name: 'x', count: '5' }, 'count: must be a whole number, not the string "5"'],
    [{ name: 'x', count: 1.5 }, 'count: must be a whole number, not the number 1.5'],
    [{ name: 'x', count: 65536 }, 'count: 65536 is out of range'],
    [{ name: 'x', kind: 'c' }, 'kind: "c" is not known'],
    [{ name: 'x', list: {} }, 'list: must be a list, not an object'],
    [{ name: 'x', list: [true, null] }, 'list[1]: must be a boolean, not null'],
    [{ name: 'x', map: { a: {} } }, 'map["a"]: must be a string, not an object'],
    [{ name: 'a\0b' }, 'name: contains a NUL character'],
  ] as const)
    t.is(t.throws(() => checkShape(value, shape, ''))?.message, message)
})

test('names of Object.prototype are fields like others', (t) => {
  const value = JSON.parse('{"name":"x","__proto__":{"polluted":1},"constructor":1,"toString":2}')
  const checked = checkShape(value, shape, '') as Record<string, unknown>
  t.is(checked['polluted'], undefined)
  t.is(({} as Record<string, unknown>)['polluted'], undefined)
})

test('a message stays one short line whatever stands in the file', (t) => {
  const error = t.throws(() => checkShape({ name: 'x', kind: 'y\n'.repeat(1e6) }, shape, ''))
  t.true((error?.message.length ?? 0) < 300)
  t.false(error?.message.includes('\n'))
})
