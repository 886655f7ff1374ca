/** docs/reference/metrics.md against the table. KEELSON_UPDATE=1 writes the part between its marks anew. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { CriMetrics } from '../../../src/cli/metrics/cri-metrics.ts'

const page = fileURLToPath(new URL('../../../docs/reference/metrics.md', import.meta.url))
const [begin, end] = [
  '<!-- from the table of metrics: begin -->\n',
  '<!-- from the table of metrics: end -->\n',
] as const

test('the page has every metric, as the table has them', (t) => {
  const [before, rest = ''] = readFileSync(page, 'utf8').split(begin)
  const [body, after = ''] = rest.split(end)
  const rows = new CriMetrics().all().map(({ definition: { name, help, labels }, type }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`
  })
  const expected = ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join(
    '\n',
  )
  if (process.env['KEELSON_UPDATE'] === '1') writeFileSync(page, `${before}${begin}${expected}${end}${after}`)
  else t.is(body, expected, 'run this test with KEELSON_UPDATE=1')
})

test('names are unique and say their unit; counters end in total', (t) => {
  const metrics = new CriMetrics().all()
  t.is(new Set(metrics.map(({ definition }) => definition.name)).size, metrics.length)
  for (const { definition, type } of metrics) {
    t.regex(definition.name, /^(keelson|process|nodejs)(_[a-z]+)+$/)
    t.is(type === 'counter', definition.name.endsWith('_total'), definition.name)
    if (type === 'histogram') t.regex(definition.name, /_seconds$/)
  }
})
