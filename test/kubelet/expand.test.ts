import test from 'ava'
import fc from 'fast-check'
import { expand } from '../../src/kubelet/expand.ts'

const lookup = (name: string) => ({ A: 'a', EMPTY: '', NESTED: '$(A)' })[name]

for (const [text, expected] of [
  ['$(A)', 'a'],
  ['x$(A)y$(A)', 'xaya'],
  ['$(EMPTY)|', '|'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$a'],
  ['$A $', '$A $'],
  ['$(A', '$(A'],
  ['$(NESTED)', '$(A)'],
  ['$()', '$()'],
] as const)
  test(`${text} is ${expected}`, (t) => {
    t.is(expand(text, lookup), expected)
  })

test('property: text without a dollar stays, and doubling every dollar escapes any text', (t) => {
  fc.assert(fc.property(fc.string(), (text) => expand(text.replaceAll('$', '$$$$'), () => 'x') === text))
  t.pass()
})
