import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Clock } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'
import { oneLine } from '../one-line.ts'
import type { Answer } from './answer.ts'
import { type Access, type AskTokenService, Authorization } from './authorization.ts'
import { discard, type Pace, readBytes } from './body.ts'
import { RegistryError, unauthenticated, unreachable } from './failures.ts'
import type { Endpoint } from './mirrors.ts'

export interface RegistryRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  access?: Access
  headers?: Readonly<Record<string, string>>
  /** Made anew for each sending. */
  body?: () => AsyncIterable<Buffer> | Buffer
  signal?: AbortSignal
}

export interface ConnectionOptions {
  endpoint: Endpoint
  auth: RegistryAuth
  /** Asked at each request: where its files are not there, this server fails and no other. */
  dispatcher: () => Promise<Dispatcher>
  clock: Clock
  timeouts: Timeouts
}

export interface Timeouts {
  /** Until an answer begins. */
  answerMs: number
  /** The same for what is uploaded: a registry answers after it has checked and stored all of it, perhaps far away. */
  storeMs: number
  /** A body that brings less than `paceBytes` in this time has stalled. */
  stallMs: number
  paceBytes: number
}

export type RegistryTimeouts = Partial<Timeouts>

const maxRedirects = 5
const maxTokenBytes = 1024 * 1024

/**
 * Requests to one endpoint: credentials, redirects, time limits. Failures to reach it are UNAVAILABLE and name the
 * host; refused credentials are UNAUTHENTICATED. The caller must read or discard each body.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #authorization: Authorization

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { endpoint, auth, clock } = options
    this.#authorization = new Authorization({ endpoint, auth, clock, ask: this.#askTokenService })
  }

  get pace(): Pace {
    const { clock, timeouts } = this.#options
    return { clock, periodMs: timeouts.stallMs, bytes: timeouts.paceBytes }
  }

  /** An address below the API's root, or one that the registry itself gave us. */
  url(path: string): URL {
    const { origin, root, namespace } = this.#options.endpoint
    const url = new URL(`${origin}${root}${path}`)
    if (namespace !== undefined) url.searchParams.set('ns', namespace)
    return url
  }

  /** Any answer but a 401, which is met with credentials once. */
  async send(url: URL, request: RegistryRequest): Promise<Answer> {
    const { endpoint } = this.#options
    const access = request.access ?? 'pull'
    const used = await this.#authorization.header(access, request.signal)
    const first = await this.#follow(url, request, used)
    // Whoever a redirect led to gets no credentials, also not when it asks for them.
    if (first.status !== 401 || first.url.origin !== endpoint.origin) return first
    await discard(first, this.pace)
    await this.#authorization.answer(access, used, first.headers['www-authenticate'] ?? '', request.signal)
    const second = await this.#follow(url, request, await this.#authorization.header(access, request.signal))
    if (second.status !== 401) return second
    await discard(second, this.pace)
    const challenge = second.headers['www-authenticate'] ?? ''
    if (!/insufficient_scope/.test(challenge))
      throw unauthenticated(endpoint.name, this.#authorization.hasCredentials)
    throw new RegistryError(
      'PERMISSION_DENIED',
      `registry ${endpoint.name} lets these credentials not ${access} here`,
    )
  }

  /** Redirects lead to storage elsewhere: credentials stay here, and https never falls back to http. */
  async #follow(url: URL, request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
    const { endpoint } = this.#options
    const mayFollow = request.method === undefined || request.method === 'GET' || request.method === 'HEAD'
    let at = url
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const own = at.origin === endpoint.origin
      const answer = await this.#exchange(at, {
        ...request,
        headers: {
          ...(own && endpoint.headers),
          ...request.headers,
          ...(own && authorization !== undefined && { authorization }),
        },
      })
      const { location } = answer.headers
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer
      await discard(answer, this.pace)
      const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined
      const safe = next?.protocol === 'https:' || (next?.protocol === 'http:' && at.protocol === 'http:')
      if (!next || !safe || !mayFollow)
        throw new RegistryError(
          'UNAVAILABLE',
          // A query may hold a signature that lets anybody in.
          `registry ${endpoint.name}: refused redirect to ${oneLine(location.replace(/[?#].*$/s, ''), 300)}`,
        )
      at = next
    }
    throw new RegistryError('UNAVAILABLE', `registry ${endpoint.name}: more than ${maxRedirects} redirects`)
  }

  readonly #askTokenService: AskTokenService = async (url, { form, authorization, signal }) => {
    const answer = await this.#exchange(url, {
      ...(form !== undefined && { method: 'POST', body: () => Buffer.from(form) }),
      headers: {
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(authorization !== undefined && { authorization }),
      },
      ...(signal && { signal }),
    })
    const text = (await readBytes(answer, maxTokenBytes, url.host, this.pace)).toString('utf8')
    const { status, retryAfterMs } = answer
    return { status, text, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }

  async #exchange(url: URL, { method = 'GET', headers, body, signal }: RegistryRequest): Promise<Answer> {
    const { endpoint, dispatcher, timeouts, clock } = this.#options
    try {
      const { request } = await import('./http.ts')
      const answer = await request(url, {
        dispatcher: await dispatcher(),
        method,
        headers: { 'user-agent': 'keelson', ...headers },
        ...(body && { body: sendable(body()) }),
        ...(signal && { signal }),
        headersTimeout: method === 'PUT' || method === 'PATCH' ? timeouts.storeMs : timeouts.answerMs,
        bodyTimeout: 0, // the reader of the body watches its pace
      })
      const single = singleHeaders(answer.headers)
      const retryAfterMs = readRetryAfter(single['retry-after'], clock.nowMs())
      return {
        status: answer.statusCode,
        headers: single,
        body: answer.body,
        url,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      }
    } catch (error) {
      throw unreachable(error, url.origin === endpoint.origin ? endpoint.name : url.host)
    }
  }
}

function sendable(body: AsyncIterable<Buffer> | Buffer): Readable | Buffer {
  return Buffer.isBuffer(body) ? body : Readable.from(body, { objectMode: false })
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function readRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

/** Those that are lists, so that several of the name are one (RFC 9110 section 5.3); of others the first counts. */
const lists = ['www-authenticate', 'link']

function singleHeaders(
  headers: Record<string, string | string[] | undefined>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? (lists.includes(name) ? value.join(', ') : value[0]) : value,
    ]),
  )
}
