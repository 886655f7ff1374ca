import test from 'ava'
import { apiVersionOf, definitions, resourceTypes, type Schema } from '../../../src/api/index.ts'

test('all 771 definitions are there and every reference leads to one', (t) => {
  t.is(definitions().size, 771)
  const missing: string[] = []
  const visit = (schema: Schema): void => {
    if (schema.$ref && !definitions().has(schema.$ref)) missing.push(schema.$ref)
    for (const one of Object.values(schema.properties ?? {})) visit(one)
    if (schema.items) visit(schema.items)
    if (schema.additionalProperties) visit(schema.additionalProperties)
  }
  for (const schema of definitions().values()) visit(schema)
  t.deepEqual(missing, [])
})

for (const row of resourceTypes)
  test(`${apiVersionOf(row)} ${row.plural} has the schema of its kind`, (t) => {
    const { group, version, kind } = row
    const kinds = definitions().get(row.definition)?.['x-kubernetes-group-version-kind']
    t.deepEqual(kinds, [{ group, version, kind }])
  })
