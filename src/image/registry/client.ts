import type { Dispatcher } from 'undici'
import { hasCode, KeelsonError, type Logger } from '../../base/index.ts'
import { type Blob, requireDigest } from '../content-store.ts'
import { digestOf, isDigest, splitDigest } from '../digest.ts'
import type { RegistryAuth } from '../image-store.ts'
import { acceptedTypes, maxManifestBytes } from '../manifest.ts'
import { formatReference, type Reference } from '../reference.ts'
import { type Answer, Connection, openDispatcher, readBytes, readText, unreachable } from './connection.ts'
import { type Endpoint, endpointsOf, type Mirrors } from './mirrors.ts'

export interface FetchedManifest {
  bytes: Buffer
  digest: string
  contentType?: string
}

/** The read half of a registry (OCI distribution spec 1.1, Docker registry v2), mirrors included. */
export class RegistryClient implements AsyncDisposable {
  readonly #mirrors: Mirrors
  readonly #log: Logger
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>()

  constructor(options: { mirrors: Mirrors; log: Logger }) {
    this.#mirrors = options.mirrors
    this.#log = options.log
    for (const host of Object.keys(options.mirrors)) endpointsOf(host, options.mirrors)
  }

  /** A look at one repository with one set of credentials; tokens are kept as long as it. */
  async open(reference: Reference, auth: RegistryAuth = {}): Promise<Repository> {
    const endpoints = endpointsOf(reference.host, this.#mirrors)
    if (endpoints.length === 0)
      throw new KeelsonError(
        'FAILED_PRECONDITION',
        `no mirror of ${reference.host} is configured, and itself forbidden`,
      )
    const sources = await Promise.all(
      endpoints.map(async (endpoint) => ({
        endpoint,
        connection: new Connection(endpoint, auth, await this.#dispatcher(endpoint.caFile)),
      })),
    )
    return new Repository(reference, sources, this.#log)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const dispatchers = await Promise.allSettled(this.#dispatchers.values())
    for (const dispatcher of dispatchers)
      if (dispatcher.status === 'fulfilled') await dispatcher.value.destroy()
  }

  #dispatcher(caFile: string | undefined): Promise<Dispatcher> {
    const key = caFile ?? ''
    const known = this.#dispatchers.get(key)
    if (known) return known
    const opening = openDispatcher(caFile)
    this.#dispatchers.set(key, opening)
    opening.catch(() => this.#dispatchers.delete(key))
    return opening
  }
}

interface Source {
  endpoint: Endpoint
  connection: Connection
}

export class Repository {
  readonly #reference: Reference
  readonly #sources: Source[]
  readonly #log: Logger

  constructor(reference: Reference, sources: Source[], log: Logger) {
    this.#reference = reference
    this.#sources = sources
    this.#log = log
  }

  /** By the digest given, else by the reference's own digest or tag; the bytes are verified against the digest. */
  async manifest(digest: string | undefined, signal?: AbortSignal): Promise<FetchedManifest> {
    const expected = digest ?? this.#reference.digest
    const name = expected ?? this.#reference.tag ?? 'latest'
    return await this.#first(signal, async (source) => {
      const answer = await this.#get(source, `manifests/${name}`, acceptedTypes, signal)
      const bytes = await readBytes(answer, maxManifestBytes, source.endpoint.name)
      const claimed = expected ?? answer.headers['docker-content-digest']
      const algorithm = isDigest(claimed) ? splitDigest(claimed).algorithm : 'sha256'
      const actual = digestOf(bytes, algorithm)
      if (isDigest(claimed))
        requireDigest(
          actual,
          claimed,
          `manifest ${formatReference(this.#reference)} from ${source.endpoint.name}`,
        )
      const contentType = answer.headers['content-type']
      return { bytes, digest: actual, ...(contentType !== undefined && { contentType }) }
    })
  }

  /** The bytes of a blob, not yet verified. */
  async blob(blob: Blob, signal?: AbortSignal): Promise<AsyncIterable<Buffer>> {
    return await this.#first(signal, async (source) => {
      const answer = await this.#get(source, `blobs/${blob.digest}`, undefined, signal)
      const length = answer.headers['content-length']
      if (length !== undefined && Number(length) !== blob.sizeBytes) {
        answer.body.destroy()
        answer.body.on('error', () => undefined)
        throw new KeelsonError(
          'DATA_LOSS',
          `blob ${blob.digest} from ${source.endpoint.name}: wrong length: expected ${blob.sizeBytes} bytes, got ${length}`,
        )
      }
      return chunks(answer, source.endpoint.name)
    })
  }

  async #get(
    source: Source,
    path: string,
    accept: string | undefined,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { endpoint, connection } = source
    const repository = [endpoint.prefix, this.#reference.repository].filter(Boolean).join('/')
    const answer = await connection.get(`/v2/${repository}/${path}`, {
      ...(accept !== undefined && { accept }),
      ...(signal && { signal }),
    })
    if (answer.status === 200) return answer
    const text = await readText(answer, 64 * 1024, endpoint.name).catch(() => '')
    throw refusal(answer.status, formatReference(this.#reference), endpoint.name, text)
  }

  /** Tries the sources in order. What one lacks or cannot give, the next may; the first failure is the telling one. */
  async #first<T>(signal: AbortSignal | undefined, attempt: (source: Source) => Promise<T>): Promise<T> {
    const failures: { error: unknown; endpoint: Endpoint }[] = []
    for (const source of this.#sources) {
      try {
        return await attempt(source)
      } catch (error) {
        if (signal?.aborted) throw error
        failures.push({ error, endpoint: source.endpoint })
        if (source !== this.#sources.at(-1))
          this.#log.warn('trying the next registry', { failed: source.endpoint.name, error })
      }
    }
    throw mostTelling(failures.map(({ error }) => error))
  }
}

/** NOT_FOUND only if all agree; otherwise what went wrong with the source that might have had it. */
function mostTelling(errors: unknown[]): unknown {
  const codes = ['DATA_LOSS', 'UNAVAILABLE', 'UNAUTHENTICATED', 'PERMISSION_DENIED'] as const
  for (const code of codes) {
    const found = errors.filter((error) => hasCode(error, code))
    if (found.length === 1 || (found.length > 0 && code !== 'UNAVAILABLE')) return found[0]
    if (found.length > 1)
      return new KeelsonError(code, found.map((error) => (error as KeelsonError).message).join('; '), {
        cause: found[0],
      })
  }
  return errors[0]
}

async function* chunks(answer: Answer, from: string): AsyncIterable<Buffer> {
  try {
    for await (const chunk of answer.body) yield chunk as Buffer
  } catch (error) {
    throw unreachable(error, from)
  }
}

function refusal(status: number, reference: string, host: string, text: string): KeelsonError {
  const detail = registryMessage(text)
  const more = detail === undefined ? '' : `: ${detail}`
  if (status === 404)
    return new KeelsonError('NOT_FOUND', `image ${reference} does not exist on ${host}${more}`, {
      id: reference,
    })
  if (status === 403)
    return new KeelsonError('PERMISSION_DENIED', `registry ${host} denies ${reference}${more}`, {
      id: reference,
    })
  const code = status >= 500 || status === 429 ? 'UNAVAILABLE' : 'INTERNAL'
  return new KeelsonError(code, `registry ${host} answers ${status} for ${reference}${more}`, {
    id: reference,
  })
}

/** The first message of an error document (distribution spec, "Error codes"). */
function registryMessage(text: string): string | undefined {
  try {
    const message: unknown = JSON.parse(text).errors?.[0]?.message
    return typeof message === 'string' ? message.slice(0, 200) : undefined
  } catch {
    return undefined
  }
}
