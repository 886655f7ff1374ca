import test from 'ava'
import fc from 'fast-check'
import { generatedName, labelKeyProblem, labelValueProblem, nameProblem } from '../../src/api/index.ts'

test('names', (t) => {
  const right = (name: string, rule: Parameters<typeof nameProblem>[1]) =>
    nameProblem(name, rule) === undefined
  t.true(right('web-1', 'dns-1123-label'))
  t.true(right('1web', 'dns-1123-label'))
  t.false(right('1web', 'dns-1035-label'))
  t.false(right('Web', 'dns-1123-label'))
  t.false(right('web-', 'dns-1123-label'))
  t.false(right('a.b', 'dns-1123-label'))
  t.true(right('a.b', 'dns-1123-subdomain'))
  t.false(right('a..b', 'dns-1123-subdomain'))
  t.false(right('a'.repeat(64), 'dns-1123-label'))
  t.true(right('a'.repeat(253), 'dns-1123-subdomain'))
  t.true(right('a:b', 'path-segment'))
  t.false(right('..', 'path-segment'))
  t.false(right('', 'dns-1123-label'))
})

test('labels', (t) => {
  t.is(labelKeyProblem('app.kubernetes.io/name'), undefined)
  t.is(labelValueProblem(''), undefined)
  t.truthy(labelKeyProblem('/name'))
  t.truthy(labelKeyProblem('a/b/c'))
  t.truthy(labelKeyProblem(''))
  t.truthy(labelValueProblem('-a'))
  t.truthy(labelValueProblem('a'.repeat(64)))
})

test('generated names are names', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9-]{0,80}$/), (base) => {
      const name = generatedName(base)
      return nameProblem(name, 'dns-1123-label') === undefined && name.startsWith(base.slice(0, 58))
    }),
  )
  t.pass()
})
