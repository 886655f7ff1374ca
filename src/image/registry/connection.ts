import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { Dispatcher } from 'undici'
import { asKeelsonError, isAbort, KeelsonError } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import type { Endpoint } from './mirrors.ts'

export interface Answer {
  status: number
  headers: Record<string, string | undefined>
  body: Dispatcher.ResponseData['body']
}

const maxRedirects = 5
const maxTokenBytes = 1024 * 1024
const timeouts = { connectMs: 10_000, headersMs: 30_000, bodyMs: 60_000 }

/**
 * Requests to one endpoint: token flow, basic authentication and redirects. Failures to reach it are UNAVAILABLE and
 * name the host; refused credentials are UNAUTHENTICATED. The caller must read or dump each body.
 */
export class Connection {
  readonly #endpoint: Endpoint
  readonly #auth: RegistryAuth
  readonly #dispatcher: Dispatcher
  #authorization: string | undefined

  constructor(endpoint: Endpoint, auth: RegistryAuth, dispatcher: Dispatcher) {
    this.#endpoint = endpoint
    this.#auth = endpoint.isMirror ? {} : auth
    this.#dispatcher = dispatcher
    if (this.#auth.registryToken) this.#authorization = `Bearer ${this.#auth.registryToken}`
  }

  async get(path: string, options: { accept?: string; signal?: AbortSignal }): Promise<Answer> {
    const url = new URL(`${this.#endpoint.origin}${path}`)
    const first = await this.#follow(url, options)
    if (first.status !== 401) return first
    await first.body.dump()
    const challenge = parseChallenge(first.headers['www-authenticate'] ?? '')
    if (!challenge) return unauthenticated(this.#endpoint.name)
    this.#authorization = await this.#answer(challenge, options.signal)
    const second = await this.#follow(url, options)
    if (second.status !== 401) return second
    await second.body.dump()
    return unauthenticated(this.#endpoint.name)
  }

  /** Redirects lead to storage elsewhere: credentials stay here, and https never falls back to http. */
  async #follow(url: URL, options: { accept?: string; signal?: AbortSignal }): Promise<Answer> {
    let at = url
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const own = at.origin === url.origin ? this.#authorization : undefined
      const answer = await this.#send(at, { ...options, ...(own !== undefined && { authorization: own }) })
      const location = answer.headers['location']
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer
      await answer.body.dump()
      const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined
      if (!next || (next.protocol !== 'https:' && next.protocol !== at.protocol))
        throw new KeelsonError(
          'UNAVAILABLE',
          `registry ${this.#endpoint.name}: refused redirect to ${location}`,
        )
      at = next
    }
    throw new KeelsonError(
      'UNAVAILABLE',
      `registry ${this.#endpoint.name}: more than ${maxRedirects} redirects`,
    )
  }

  async #answer(challenge: Challenge, signal: AbortSignal | undefined): Promise<string> {
    const { username, password = '' } = this.#auth
    const basic = username ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` : undefined
    if (challenge.scheme === 'basic') return basic ?? unauthenticated(this.#endpoint.name)
    const realm = URL.canParse(challenge.realm) ? new URL(challenge.realm) : undefined
    if (!realm || (realm.protocol !== 'https:' && !this.#endpoint.origin.startsWith('http:')))
      throw new KeelsonError(
        'UNAUTHENTICATED',
        `registry ${this.#endpoint.name}: refused token service ${challenge.realm}`,
      )
    return `Bearer ${await this.#token(realm, challenge, basic, signal)}`
  }

  async #token(
    realm: URL,
    { service, scope }: Extract<Challenge, { scheme: 'bearer' }>,
    basic: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { identityToken } = this.#auth
    const query = new URLSearchParams({ ...(service && { service }), ...(scope && { scope }) })
    const form = identityToken
      ? new URLSearchParams({
          ...Object.fromEntries(query),
          grant_type: 'refresh_token',
          refresh_token: identityToken,
          client_id: 'keelson',
        })
      : undefined
    if (!form) for (const [key, value] of query) realm.searchParams.append(key, value)
    const answer = await this.#send(realm, {
      ...(form && { form: form.toString() }),
      ...(!form && basic !== undefined && { authorization: basic }),
      ...(signal && { signal }),
    })
    const text = await readText(answer, maxTokenBytes, realm.host)
    if (answer.status !== 200) return unauthenticated(this.#endpoint.name)
    return tokenIn(text) ?? unauthenticated(this.#endpoint.name)
  }

  async #send(
    url: URL,
    options: { accept?: string; authorization?: string; form?: string; signal?: AbortSignal },
  ): Promise<Answer> {
    try {
      const { request } = await import('./http.ts')
      const { statusCode, headers, body } = await request(url, {
        dispatcher: this.#dispatcher,
        method: options.form === undefined ? 'GET' : 'POST',
        headers: {
          'user-agent': 'keelson',
          ...(options.accept && { accept: options.accept }),
          ...(options.authorization && { authorization: options.authorization }),
          ...(options.form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(options.form !== undefined && { body: options.form }),
        ...(options.signal && { signal: options.signal }),
        headersTimeout: timeouts.headersMs,
        bodyTimeout: timeouts.bodyMs,
      })
      return { status: statusCode, headers: single(headers), body }
    } catch (error) {
      throw unreachable(
        error,
        url.host === new URL(this.#endpoint.origin).host ? this.#endpoint.name : url.host,
      )
    }
  }
}

/** Certificates are the usual ones and, where asked for, those of a file (the launchers drop NODE_EXTRA_CA_CERTS). */
export async function openDispatcher(caFile: string | undefined): Promise<Dispatcher> {
  const { Agent } = await import('./http.ts')
  const connect = { timeout: timeouts.connectMs }
  if (caFile === undefined) return new Agent({ connect })
  const pem = await readFile(caFile, 'utf8').catch((error) => {
    throw asKeelsonError(error, { op: 'read the registry CA file', path: caFile })
  })
  return new Agent({ connect: { ...connect, ca: [...rootCertificates, pem] } })
}

/** A small body as text. DATA_LOSS above the limit. */
export async function readText(answer: Answer, maxBytes: number, from: string): Promise<string> {
  return (await readBytes(answer, maxBytes, from)).toString('utf8')
}

export async function readBytes(answer: Answer, maxBytes: number, from: string): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of answer.body) {
      size += part.length
      if (size > maxBytes)
        throw new KeelsonError('DATA_LOSS', `registry ${from}: a document of more than ${maxBytes} bytes`)
      parts.push(part)
    }
  } catch (error) {
    throw unreachable(error, from)
  }
  return Buffer.concat(parts)
}

export function unreachable(error: unknown, host: string): KeelsonError {
  if (error instanceof KeelsonError) return error
  if (isAbort(error) || (error instanceof Error && error.name === 'TimeoutError'))
    return asKeelsonError(error)
  const why = error instanceof Error ? reason(error) : String(error)
  return new KeelsonError('UNAVAILABLE', `registry ${host} does not answer: ${why}`, {
    cause: error,
    hint: 'check the name, the network and that the registry runs',
  })
}

/** Several addresses of one host fail as an AggregateError without a message of its own. */
function reason(error: Error): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ')
  return error.message
}

function unauthenticated(host: string): never {
  throw new KeelsonError(
    'UNAUTHENTICATED',
    `registry ${host} refuses access: the image is private or does not exist`,
    {
      hint: 'check the image name and the credentials (imagePullSecrets)',
    },
  )
}

function tokenIn(text: string): string | undefined {
  try {
    const { token, access_token: accessToken } = JSON.parse(text)
    const found: unknown = token || accessToken
    return typeof found === 'string' ? found : undefined
  } catch {
    return undefined
  }
}

function single(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
}
