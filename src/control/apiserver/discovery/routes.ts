import { createHash } from 'node:crypto'
import { arch } from 'node:process'
import { resourceTypes } from '../../../api/index.ts'
import type { ApiRequest, Handler, Headers, Reply } from '../http/message.ts'
import { aggregatedContentType, aggregatedVersion, discoveryList } from './aggregated.ts'
import { coreVersions, groupList, groupOf, resourceList } from './legacy.ts'

/** Kubernetes' level that the API follows. */
const level = { major: '1', minor: '36' }
export const apiVersion = `v${level.major}.${level.minor}.0`

/**
 * kubectl asks here before it says that it does not know a kind; without an answer it reports this request instead of
 * the kind. There are no custom resources yet, so the list is empty; discovery does not offer to create any.
 */
const customResourcePath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const noCustomResources = {
  kind: 'CustomResourceDefinitionList',
  apiVersion: 'apiextensions.k8s.io/v1',
  metadata: { resourceVersion: '1' },
  items: [],
}

const versionInfo = {
  ...level,
  gitVersion: `${apiVersion}+keelson`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `linux/${arch === 'x64' ? 'amd64' : arch}`,
}

/** What a server serves, for those who ask: path → handler. `address` is host:port of this server. */
export function discoveryRoutes(address: string): Map<string, Handler> {
  const core = resourceTypes.filter(({ group }) => group === '')
  const others = resourceTypes.filter(({ group }) => group !== '')
  const routes = new Map<string, Handler>([
    ['/version', document(() => versionInfo)],
    ['/api', aggregatable(core, () => coreVersions(core, address))],
    ['/apis', aggregatable(others, () => groupList(others))],
  ])
  routes.set(
    customResourcePath,
    document(() => noCustomResources),
  )
  for (const { group, version } of resourceTypes) {
    const root = group === '' ? '/api' : `/apis/${group}`
    routes.set(
      `${root}/${version}`,
      document(() => resourceList(resourceTypes, group, version)),
    )
    if (group !== '')
      routes.set(
        root,
        document(() => groupOf(resourceTypes, group)),
      )
  }
  return routes
}

/** A document that changes only with the server: made once, sent with an ETag. */
function document(make: () => unknown, contentType = 'application/json'): Handler {
  let made: { body: string; etag: string } | undefined
  return async (request) => {
    made ??= tagged(JSON.stringify(make()))
    return taggedReply(request, made, { 'content-type': contentType })
  }
}

function aggregatable(rows: typeof resourceTypes, legacy: () => unknown): Handler {
  const plain = document(legacy)
  const aggregated = new Map(
    (['v2', 'v2beta1'] as const).map((version) => [
      version,
      document(() => discoveryList(rows, version), aggregatedContentType(version)),
    ]),
  )
  return async (request) => {
    const version = aggregatedVersion(request.headers.accept)
    const reply = await ((version && aggregated.get(version)) ?? plain)(request)
    return { ...reply, headers: { ...reply.headers, vary: 'Accept' } }
  }
}

function tagged(body: string): { body: string; etag: string } {
  return { body, etag: `"${createHash('sha256').update(body).digest('hex').toUpperCase()}"` }
}

function taggedReply(
  request: ApiRequest,
  { body, etag }: { body: string; etag: string },
  headers: Headers,
): Reply {
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: '' }
  return { status: 200, headers: { ...headers, etag, 'cache-control': 'public' }, body }
}
