import test from 'ava'
import { Members } from '../../../src/network/cni/json.ts'

test('members of the wrong kind are told with their place', (t) => {
  const members = new Members({ text: 1, list: {}, number: '1', flag: 2, texts: ['a', 1] }, 'file: x')
  for (const [read, message] of [
    [() => members.text('text'), 'file: x: "text" is not a string'],
    [() => members.list('list'), 'file: x: "list" is not a list'],
    [() => members.number('number'), 'file: x: "number" is not a number'],
    [() => members.flag('flag'), 'file: x: "flag" is neither true nor false'],
    [() => members.texts('texts'), 'file: x: "texts" has an entry that is not a string'],
    [() => members.members('list').members('a').text('b'), undefined],
    [() => new Members([], 'file'), 'file is not an object'],
  ] as const)
    if (message) t.throws(read, { code: 'INVALID_ARGUMENT', message })
    else t.is(read(), undefined)
})

test('what is absent is empty, null lists as Go writes them too, and flags may stand in quotes', (t) => {
  const members = new Members({ list: null, yes: 'TRUE', no: 'false' }, 'file')
  t.deepEqual(
    [members.text('a'), members.number('a'), members.list('list'), members.texts('a')],
    [undefined, undefined, [], []],
  )
  t.deepEqual([members.flag('yes'), members.flag('no'), members.flag('a')], [true, false, false])
  t.deepEqual([members.has('list'), members.has('a')], [true, false])
})
