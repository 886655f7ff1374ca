import test from 'ava'
import fc from 'fast-check'
import {
  fieldOf,
  formatFieldSelector,
  formatSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseSelector,
  type Requirement,
  selectorOf,
  selectorOfMap,
} from '../../src/api/index.ts'
import { hasCode } from '../../src/base/index.ts'

const labels = { app: 'web', tier: 'front', rank: '7', empty: '' }
const cases: [string, boolean][] = [
  ['', true],
  ['app=web', true],
  ['app==web,tier!=back', true],
  ['app!=web', false],
  ['other!=x', true],
  ['app in (db, web)', true],
  ['app notin (db,web)', false],
  ['other notin (a)', true],
  ['app', true],
  ['!app', false],
  ['!other,app', true],
  ['rank>6,rank<8', true],
  ['rank>7', false],
  ['app>1', false],
  ['empty=', true],
  ['app=', false],
]

for (const [text, expected] of cases)
  test(`${JSON.stringify(text)} ${expected ? 'matches' : 'does not match'}`, (t) => {
    t.is(matchesLabels(parseSelector(text), labels), expected)
  })

for (const text of ['=a', 'a in', 'a in (b', 'a b', 'a,,b', 'a=(', 'a=b;c'])
  test(`${JSON.stringify(text)} is refused`, (t) => {
    t.true(
      hasCode(
        t.throws(() => parseSelector(text)),
        'INVALID_ARGUMENT',
      ),
    )
  })

const anyKey = fc.constantFrom('app', 'tier', 'example.com/role', 'in-x', 'a_b')
const anyValue = fc.constantFrom('web', 'a.b', 'x-1', 'v')
const anyRequirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key: anyKey,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(anyValue, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    key: anyKey,
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
    values: fc.constant([]),
  }),
)

test('what is written is read back', (t) => {
  fc.assert(
    fc.property(fc.array(anyRequirement, { maxLength: 4 }), (selector) => {
      t.deepEqual(parseSelector(formatSelector(selector)), selector)
    }),
  )
})

test('an absent selector matches nothing, an empty one everything, an empty map nothing', (t) => {
  t.false(matchesLabels(selectorOf(undefined), labels))
  t.true(matchesLabels(selectorOf({}), labels))
  t.false(matchesLabels(selectorOfMap({}), labels))
  t.true(matchesLabels(selectorOf({ matchLabels: { app: 'web' } }), labels))
  const expressions = [{ key: 'tier', operator: 'In', values: ['front'] }]
  t.true(matchesLabels(selectorOf({ matchExpressions: expressions }), labels))
  t.true(
    hasCode(
      t.throws(() => selectorOf({ matchExpressions: [{ key: 'a', operator: 'Like' }] })),
      'INVALID_ARGUMENT',
    ),
  )
})

test('field selectors compare members by their path', (t) => {
  const pod = { metadata: { name: 'a,b' }, spec: { hostNetwork: true } }
  const read = (path: string) => fieldOf(pod, path)
  t.true(matchesFields(parseFieldSelector('metadata.name=a\\,b,spec.nodeName='), read))
  t.true(matchesFields(parseFieldSelector('spec.hostNetwork==true,metadata.name!=c'), read))
  t.false(matchesFields(parseFieldSelector('spec.nodeName!='), read))
  t.true(
    hasCode(
      t.throws(() => parseFieldSelector('metadata.name')),
      'INVALID_ARGUMENT',
    ),
  )
})

test('field selectors are read back as written', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ',', '=', '\\', '!', '.') }),
      fc.boolean(),
      (value, equal) => {
        const selector = [{ field: 'metadata.name', equal, value }]
        t.deepEqual(parseFieldSelector(formatFieldSelector(selector)), selector)
      },
    ),
  )
})
