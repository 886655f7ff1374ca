import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import test from 'ava'
import {
  apiVersionOf,
  definitions,
  type OpenApiDocuments,
  openApiDocuments,
  openApiV2ProtobufAnswer,
  type ResourceType,
  resourceTypes,
} from '../../../src/api/index.ts'
import { openApiV2 } from '../../../src/api/openapi/v2.ts'
import { openApiV3 } from '../../../src/api/openapi/v3.ts'
import { readAll } from '../../../src/api/transport.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const documents = openApiDocuments(resourceTypes, 'v1.36.0')
const text = (body: Uint8Array) => Buffer.from(body).toString()

test('v2 has every definition with every property, and a path for every row', (t) => {
  const v2 = openApiV2(resourceTypes, 'v1.36.0')
  t.is(Object.keys(v2.definitions).length, definitions().size)
  for (const [name, schema] of definitions())
    t.deepEqual(
      Object.keys((v2.definitions[name]?.['properties'] as object | undefined) ?? {}),
      Object.keys(schema.properties ?? {}),
      name,
    )
  t.like(v2.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'], {
    patch: { 'x-kubernetes-group-version-kind': { group: 'autoscaling', version: 'v1', kind: 'Scale' } },
  })
  t.truthy(v2.paths['/api/v1/namespaces/{name}/finalize'])
})

test('every operation has an id of its own', (t) => {
  const { paths } = openApiV2(resourceTypes, 'v1.36.0')
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => (operation as { operationId: string }).operationId),
  )
  t.deepEqual(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    [],
  )
})

test('v3 groups are whole: each reference leads inside its document, each kind takes fieldValidation', (t) => {
  for (const [key, document] of openApiV3(resourceTypes, 'v1.36.0')) {
    const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/([^"]+)/g)].map(
      ([, name]) => name,
    )
    t.deepEqual(
      names.filter((name) => !Object.hasOwn(document.components.schemas, name ?? '')),
      [],
      key,
    )
  }
  const apps = openApiV3(resourceTypes, 'v1.36.0').get('apis/apps/v1')
  const path = apps?.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'] as {
    patch: { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': unknown }
  }
  t.true(path.patch.parameters.some(({ name }) => name === 'fieldValidation'))
  t.deepEqual(path.patch['x-kubernetes-group-version-kind'], {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
  })
})

test('the index names each group with the hash of its document', (t) => {
  const index = JSON.parse(text(documents.v3Index().body)) as {
    paths: Record<string, { serverRelativeURL: string }>
  }
  t.deepEqual(Object.keys(index.paths).sort(), [
    'api/v1',
    'apis/apps/v1',
    'apis/coordination.k8s.io/v1',
    'apis/discovery.k8s.io/v1',
    'apis/events.k8s.io/v1',
  ])
  const hash = documents.v3Group('api/v1')?.hash
  t.is(index.paths['api/v1']?.serverRelativeURL, `/openapi/v3/api/v1?hash=${hash}`)
  t.is(documents.v3Group('apis/none/v1'), undefined)
})

test('the protobuf form carries the same definitions and paths', (t) => {
  const { body } = documents.v2Protobuf()
  const [swagger] = fieldsOf(body, 1)
  t.is(swagger && text(swagger), '2.0')
  const names = (number: number, inner: number) =>
    fieldsOf(fieldsOf(body, number)[0] ?? new Uint8Array(), inner).map((pair) =>
      text(fieldsOf(pair, 1)[0] ?? new Uint8Array()),
    )
  const v2 = openApiV2(resourceTypes, 'v1.36.0')
  t.deepEqual(names(8, 2), Object.keys(v2.paths))
  t.deepEqual(names(9, 1), Object.keys(v2.definitions))
})

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0
const kubectlTest = hasKubectl ? test : test.skip

kubectlTest(`kubectl reads both versions${hasKubectl ? '' : ' (no kubectl here)'}`, async (t) => {
  await using server = await serve(documents)
  await using home = await temporaryDirectory()
  const kubectl = (...args: string[]) =>
    run('kubectl', [`--server=${server.url}`, `--cache-dir=${home.path}`, ...args])
  const explained = await kubectl('explain', 'deployment.spec.template.spec.containers')
  t.is(explained.code, 0, explained.output)
  t.regex(explained.output, /livenessProbe\s+<(Probe|Object)>/) // 1.27 and newer name the type, from v3
  t.regex(explained.output, /name\s+<string> -required-/)
  const knowsBoth = (await run('kubectl', ['explain', '--help'])).output.includes('plaintext-openapiv2')
  const legacy = await kubectl('explain', 'pod.spec', ...(knowsBoth ? ['--output=plaintext-openapiv2'] : []))
  t.is(legacy.code, 0, legacy.output)
  t.regex(legacy.output, /restartPolicy\s+<string>/)
})

/** Length-delimited fields with this number, in order. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message)
  const found: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag()
    if (number === wanted) found.push(reader.bytes())
    else reader.skip(wireType)
  }
  return found
}

/** Just enough of a server for kubectl to find the documents: legacy discovery from the table, and /openapi. */
async function serve(openApi: OpenApiDocuments) {
  const server = createServer((request, response) => answer(openApi, request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answer(openApi: OpenApiDocuments, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://x')
  if (pathname.startsWith('/openapi/')) {
    const v3 =
      pathname === '/openapi/v3' ? openApi.v3Index() : openApi.v3Group(pathname.slice('/openapi/v3/'.length))
    const protobuf = request.headers.accept?.includes('protobuf')
    const document = pathname !== '/openapi/v2' ? v3 : protobuf ? openApi.v2Protobuf() : openApi.v2Json()
    response.writeHead(document ? 200 : 404, { 'content-type': document?.contentType ?? 'text/plain' })
    response.end(document?.body)
    return
  }
  const body = discovery(pathname)
  response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body ?? {}))
}

function discovery(path: string): unknown {
  const versions = [...new Set(resourceTypes.map(apiVersionOf))]
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  if (path === '/apis')
    return {
      kind: 'APIGroupList',
      groups: versions
        .filter((one) => one.includes('/'))
        .map((groupVersion) => {
          const [name, version] = groupVersion.split('/')
          const entry = { groupVersion, version }
          return { name, versions: [entry], preferredVersion: entry }
        }),
    }
  const groupVersion = path.replace(/^\/apis?\//, '')
  if (!versions.includes(groupVersion)) return undefined
  const rows = resourceTypes.filter((row) => apiVersionOf(row) === groupVersion)
  return { kind: 'APIResourceList', groupVersion, resources: rows.map(discovered) }
}

function discovered({ plural, singular, namespaced, kind, verbs, shortNames }: ResourceType): unknown {
  return { name: plural, singularName: singular, namespaced, kind, verbs, shortNames }
}

async function run(command: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', resolve)
  })
  const output = await Promise.all([readAll(child.stdout), readAll(child.stderr)])
  return { code: await exited, output: Buffer.concat(output).toString() }
}

test('the content types are those that kubectl accepts', (t) => {
  t.is(documents.v2Protobuf().contentType, openApiV2ProtobufAnswer)
  t.is(documents.v2Json().contentType, 'application/json')
})
