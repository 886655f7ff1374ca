import type { Verb } from '../../../api/index.ts'
import type { ApiRequest, Headers, Reply } from '../http/message.ts'
import type { Kind, Registry } from '../registry/registry.ts'

/** A request that found its row: everything an endpoint needs to answer. */
export interface Call {
  registry: Registry
  request: ApiRequest
  kind: Kind
  verb: Verb
  namespace: string | undefined
  /** Empty for collections. */
  name: string
  /** Adds a `Warning` header to the answer. */
  warn: (message: string) => void
}

export type Endpoint = (call: Call) => Promise<Reply>

export function bytesReply(
  status: number,
  contentType: string,
  body: Uint8Array,
  headers: Headers = {},
): Reply {
  return {
    status,
    headers: { 'content-type': contentType, 'cache-control': 'no-cache, private', ...headers },
    body,
  }
}
