import test from 'ava'
import * as v from 'valibot'
import { parse } from 'yaml'
import { defaultDocument, flagsOf, namedSettings, schemaOf, setting } from '../../src/cli/settings.ts'

const table = {
  name: setting(v.string(), 'it is: "so" #1', 'A sentence.', { name: 'name', value: 'NAME', help: 'a name' }),
  deep: {
    list: setting(v.array(v.string()), ['a', '0644'], `${'word '.repeat(60)}end.`),
    count: setting(v.number('a number is expected'), 0, 'How many.'),
    deeper: { empty: setting(v.string(), '', 'Nothing.') },
  },
}

test('a document of the defaults reads as the defaults, whatever characters are in them', (t) => {
  const text = defaultDocument(table)
  const values = { name: 'it is: "so" #1', deep: { list: ['a', '0644'], count: 0, deeper: { empty: '' } } }
  t.deepEqual(parse(text) as unknown, values)
  t.deepEqual(v.parse(schemaOf(table), parse(text)) as unknown, values)
  t.deepEqual(v.parse(schemaOf(table), undefined) as unknown, values)
  t.deepEqual(v.parse(schemaOf(table), parse('deep:\n  deeper:\nname:\n')) as unknown, values)
  t.true(text.split('\n').every((line) => line.length <= 100))
})

test('what the table does not have is refused with its path', (t) => {
  for (const [document, path] of [
    [{ deep: { coun: 1 } }, 'deep.coun'],
    [{ deep: { deeper: { empty: '', more: 1 } } }, 'deep.deeper.more'],
    [{ names: 'x' }, 'names'],
    [{ deep: { count: '1' } }, 'deep.count'],
  ] as const) {
    const { issues } = v.safeParse(schemaOf(table), document)
    t.is(issues?.[0]?.path?.map(({ key }) => key).join('.') ?? 'accepted', path)
  }
})

test('names are paths from the root, and flags are those that were asked for', (t) => {
  t.deepEqual(
    namedSettings(table).map(({ path }) => path.join('.')),
    ['name', 'deep.list', 'deep.count', 'deep.deeper.empty'],
  )
  t.deepEqual(flagsOf(table), { name: { type: 'string', value: 'NAME', help: 'a name' } })
})
