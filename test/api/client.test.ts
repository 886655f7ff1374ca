import test from 'ava'
import { type ConfigMap, resources, statusOfError } from '../../src/api/index.ts'
import { hasCode } from '../../src/base/index.ts'
import { FakeApi } from '../support/fake-api.ts'

const map = (name: string): ConfigMap => ({ metadata: { name, namespace: 'default' }, data: { a: '1' } })
const at = { namespace: 'default', name: 'one' }

test('create, get, replace, patch, delete', async (t) => {
  const { client } = new FakeApi()
  const made = await client.create(resources.configmaps, map('one'))
  t.is(made.kind, 'ConfigMap')
  t.truthy(made.metadata.uid)
  const replaced = await client.replace(resources.configmaps, { ...made, data: { a: '2' } })
  t.is(replaced.data?.['a'], '2')
  const patched = await client.patch(resources.configmaps, at, { type: 'merge', patch: { data: { b: '3' } } })
  t.deepEqual(patched.data, { a: '2', b: '3' })
  await client.delete(resources.configmaps, at)
  t.is(await client.find(resources.configmaps, at), undefined)
})

test('refusals carry a code and the Status', async (t) => {
  const { client } = new FakeApi()
  const missing = await t.throwsAsync(client.get(resources.configmaps, at))
  t.true(hasCode(missing, 'NOT_FOUND'))
  t.is(statusOfError(missing)?.reason, 'NotFound')
  const made = await client.create(resources.configmaps, map('one'))
  t.true(hasCode(await t.throwsAsync(client.create(resources.configmaps, map('one'))), 'ALREADY_EXISTS'))
  await client.replace(resources.configmaps, made)
  t.true(hasCode(await t.throwsAsync(client.replace(resources.configmaps, made)), 'CONFLICT'))
})

test('items of a list know their kind', async (t) => {
  const { client } = new FakeApi()
  await client.create(resources.configmaps, map('one'))
  await client.create(resources.configmaps, map('two'))
  const listed = await client.list(resources.configmaps, { fieldSelector: 'metadata.name=two' })
  t.deepEqual(
    listed.items.map(({ kind, metadata }) => [kind, metadata.name]),
    [['ConfigMap', 'two']],
  )
  t.is(listed.continue, undefined)
})
