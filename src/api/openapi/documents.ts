import { createHash } from 'node:crypto'
import type { ResourceType } from '../resource-type.ts'
import { encodeOpenApiV2 } from './gnostic.ts'
import { openApiV2 } from './v2.ts'
import { openApiV3 } from './v3.ts'

/** One document ready to be sent. */
export interface ServedDocument {
  body: Uint8Array
  contentType: string
  /** Hash of the body, without quotes: good for an ETag, and the `hash` parameter of version 3. */
  hash: string
}

/** What the server answers under /openapi; each is made when first asked for. */
export interface OpenApiDocuments {
  /** GET /openapi/v2 with `Accept: application/json` */
  v2Json(): ServedDocument
  /** GET /openapi/v2 for clients that ask for gnostic's protobuf (`openApiV2ProtobufRequest`) */
  v2Protobuf(): ServedDocument
  /** GET /openapi/v3 */
  v3Index(): ServedDocument
  /** GET /openapi/v3/<key>, key as in the index: `api/v1`, `apis/apps/v1` */
  v3Group(key: string): ServedDocument | undefined
}

/** What clients write into Accept … */
export const openApiV2ProtobufRequest = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
/** … and what the answer must say, for kubectl refuses the other form there. */
export const openApiV2ProtobufAnswer = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/** @param version what the documents call the version of the API: `v1.36.0` */
export function openApiDocuments(rows: readonly ResourceType[], version: string): OpenApiDocuments {
  const v2 = once(() => openApiV2(rows, version))
  const groups = once(() => {
    const documents = [...openApiV3(rows, version)]
    return new Map(documents.map(([key, document]) => [key, json(document)]))
  })
  return {
    v2Json: once(() => json(v2())),
    v2Protobuf: once(() => served(encodeOpenApiV2(v2()), openApiV2ProtobufAnswer)),
    v3Index: once(() => json({ paths: Object.fromEntries([...groups()].map(indexEntry)) })),
    v3Group: (key) => groups().get(key),
  }
}

function indexEntry([key, { hash }]: [string, ServedDocument]): [string, { serverRelativeURL: string }] {
  return [key, { serverRelativeURL: `/openapi/v3/${key}?hash=${hash}` }]
}

function json(value: unknown): ServedDocument {
  return served(Buffer.from(JSON.stringify(value)), 'application/json')
}

function served(body: Uint8Array, contentType: string): ServedDocument {
  return { body, contentType, hash: createHash('sha256').update(body).digest('hex').toUpperCase() }
}

function once<V>(make: () => V): () => V {
  let made: { value: V } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
