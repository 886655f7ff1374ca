import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { KeelsonError } from '../../../base/index.ts'
import { StatusError } from '../status.ts'
import { type ApiRequest, bodyLimitBytes, type User } from './message.ts'

/** What both versions of HTTP know of a request. */
export interface Incoming {
  method: string
  url: string
  headers: IncomingHttpHeaders
  user: User
  source: Readable
  /** Where the answer goes; closed when the client is gone, and with all others when the server closes. */
  answer: { readonly destroyed: boolean; once(event: 'close', listener: () => void): unknown }
}

/** The signal is made only for those who ask: most requests are answered before anybody could want it. */
export function requestOf(incoming: Incoming): ApiRequest {
  const { method, url, headers, user, source } = incoming
  const mark = url.indexOf('?')
  let query: URLSearchParams | undefined
  let gone: AbortSignal | undefined
  return {
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    headers,
    user,
    body: () => readBody(source),
    get query() {
      query ??= new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
      return query
    },
    get signal() {
      gone ??= abortedWith(incoming.answer)
      return gone
    },
  }
}

function abortedWith(answer: Incoming['answer']): AbortSignal {
  const controller = new AbortController()
  if (answer.destroyed) controller.abort()
  else answer.once('close', () => controller.abort())
  return controller.signal
}

/** By events, not by iteration: leaving a loop early would destroy the stream that the 413 must go out on. */
function readBody(source: Readable): Promise<Uint8Array> {
  if (source.destroyed) return Promise.reject(clientLeft())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const onClose = () => reject(clientLeft())
    source.once('close', onClose)
    source.once('error', reject)
    source.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bodyLimitBytes) chunks.push(chunk)
      else reject(tooLarge())
    })
    source.once('end', () => {
      source.off('close', onClose)
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
    })
  })
}

function clientLeft(): KeelsonError {
  return new KeelsonError('CANCELLED', 'the client left before the end of its request')
}

function tooLarge(): StatusError {
  const message = `Request entity too large: limit is ${bodyLimitBytes}`
  return new StatusError('RequestEntityTooLarge', message)
}
