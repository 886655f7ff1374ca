import { gzipSync } from 'node:zlib'
import {
  openApiDocuments,
  openApiV2ProtobufAnswer,
  openApiV2ProtobufRequest,
  resourceTypes,
  type ServedDocument,
} from '../../../api/index.ts'
import { parseMediaTypes } from '../http/media-type.ts'
import type { ApiRequest, Handler, Headers, Reply } from '../http/message.ts'
import { StatusError } from '../status.ts'

const protobufTypes = [openApiV2ProtobufRequest, openApiV2ProtobufAnswer]

/** `/openapi/v2` as JSON or gnostic protobuf, `/openapi/v3` with one document for each group version. */
export function openApiRoutes(version: string): Map<string, Handler> {
  const documents = openApiDocuments(resourceTypes, version)
  const compressed = new WeakMap<ServedDocument, Buffer>()
  const send = (request: ApiRequest, document: ServedDocument, headers: Headers = {}) =>
    reply(request, document, headers, compressed)
  const routes = new Map<string, Handler>([
    [
      '/openapi/v2',
      async (request) => send(request, wantsProtobuf(request) ? documents.v2Protobuf() : documents.v2Json()),
    ],
    ['/openapi/v3', async (request) => send(request, documents.v3Index())],
  ])
  for (const { group, version: of } of resourceTypes) {
    const key = group === '' ? `api/${of}` : `apis/${group}/${of}`
    routes.set(`/openapi/v3/${key}`, async (request) => {
      const document = documents.v3Group(key)
      if (!document) throw new StatusError('NotFound', 'the server could not find the requested resource', {})
      return send(request, document, cachingOf(request, document))
    })
  }
  return routes
}

/** The first type of the Accept header that we know decides. */
function wantsProtobuf({ headers }: ApiRequest): boolean {
  for (const { type } of parseMediaTypes(headers.accept ?? '')) {
    if (protobufTypes.includes(type)) return true
    if (type === 'application/json' || type === '*/*') return false
  }
  return false
}

/** A URL that names the document's hash may be kept for ever. */
function cachingOf({ query }: ApiRequest, { hash }: ServedDocument): Headers {
  return query.get('hash') === hash ? { 'cache-control': 'public, immutable, max-age=31536000' } : {}
}

function reply(
  request: ApiRequest,
  document: ServedDocument,
  extra: Headers,
  compressed: WeakMap<ServedDocument, Buffer>,
): Reply {
  const etag = `"${document.hash}"`
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: '' }
  const headers = { 'content-type': document.contentType, etag, vary: 'Accept, Accept-Encoding', ...extra }
  if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')))
    return { status: 200, headers, body: document.body }
  const gzip = compressed.get(document) ?? gzipSync(document.body)
  compressed.set(document, gzip)
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzip }
}
