import test from 'ava'
import { resourceTypes } from '../../../../src/api/index.ts'
import { startTestApiServer } from '../../../support/api-server.ts'
import { call } from '../../../support/raw-api.ts'

const aggregated = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`

test('aggregated discovery in both versions, with a content type that echoes and an ETag', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.remote()
  for (const version of ['v2', 'v2beta1']) {
    const accept = `${aggregated(version)},application/json`
    const core = await call(transport, 'GET', '/api', undefined, { accept })
    t.is(core.headers['content-type'], aggregated(version))
    t.is(core.body.apiVersion, `apidiscovery.k8s.io/${version}`)
    const rows = core.body.items[0].versions[0].resources
    const pods = rows.find(({ resource }: { resource: string }) => resource === 'pods')
    t.like(pods, {
      scope: 'Namespaced',
      singularResource: 'pod',
      responseKind: { group: '', version: 'v1', kind: 'Pod' },
    })
    const etag = core.headers['etag'] ?? ''
    const again = await call(transport, 'GET', '/api', undefined, { accept, 'if-none-match': etag })
    t.is(again.status, 304)
    const groups = await call(transport, 'GET', '/apis', undefined, { accept })
    t.true(groups.body.items.some(({ metadata }: { metadata: { name: string } }) => metadata.name === 'apps'))
  }
})

test('kubectl 1.27 asks for v2beta1 before plain JSON, 1.20 for plain JSON only', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.remote()
  const both = `${aggregated('v7')},${aggregated('v2beta1')},application/json`
  t.is(
    (await call(transport, 'GET', '/apis', undefined, { accept: both })).body.kind,
    'APIGroupDiscoveryList',
  )
  const plain = await call(transport, 'GET', '/apis', undefined, { accept: 'application/json' })
  t.is(plain.body.kind, 'APIGroupList')
  for (const { groupVersion } of plain.body.groups.flatMap((one: { versions: unknown[] }) => one.versions)) {
    const list = await call(transport, 'GET', `/apis/${groupVersion}`)
    t.is(list.body.groupVersion, groupVersion)
  }
})

test('every row of the table is discovered, and every verb that is promised has a route', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.server.localTransport()
  const methods = { get: 'GET', update: 'PUT', patch: 'PATCH', delete: 'DELETE' } as const
  for (const { group, version, plural, namespaced, verbs } of resourceTypes) {
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    const list = await call(transport, 'GET', root)
    t.true(
      list.body.resources.some(({ name }: { name: string }) => name === plural),
      plural,
    )
    const path = `${root}${namespaced ? '/namespaces/default' : ''}/${plural}`
    t.is((await call(transport, 'GET', path)).status, 200, path)
    for (const [verb, method] of Object.entries(methods)) {
      if (!verbs.includes(verb as keyof typeof methods)) continue
      const answer = await call(transport, method, `${path}/absent-object`)
      t.not(answer.body.message, 'the server could not find the requested resource', `${method} ${path}`)
      t.not(answer.status, 405, `${method} ${path}`)
    }
  }
})

test('OpenAPI: JSON and gnostic for version 2, an index with hashes for version 3', async (t) => {
  await using cluster = await startTestApiServer()
  const transport = cluster.remote()
  const index = await call(transport, 'GET', '/openapi/v3')
  const url: string = index.body.paths['apis/apps/v1'].serverRelativeURL
  const group = await call(transport, 'GET', url)
  t.is(group.headers['cache-control'], 'public, immutable, max-age=31536000')
  t.truthy(group.body.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'].patch)
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
  const gnostic = await call(transport, 'GET', '/openapi/v2', undefined, { accept })
  t.is(gnostic.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
  const gzip = await call(transport, 'GET', '/openapi/v2', undefined, { 'accept-encoding': 'gzip' })
  t.is(gzip.headers['content-encoding'], 'gzip')
})
