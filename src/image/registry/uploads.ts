import { hasCode } from '../../base/index.ts'
import { type Blob, requireDigest } from '../content-store.ts'
import { isDigest } from '../digest.ts'
import type { Reference } from '../reference.ts'
import type { Answer } from './answer.ts'
import { discard } from './body.ts'
import type { RegistryRequest } from './connection.ts'
import { isTransient, RegistryError } from './failures.ts'
import { refused } from './refused.ts'
import { backOffMs, fromFirst, type Retry } from './retry.ts'
import type { Source } from './source.ts'

export interface UploadSource {
  /** The blob's bytes from `start` up to but not including `end`. */
  read(start: number, end: number): AsyncIterable<Buffer>
  /** A repository of the same registry that may have the blob. */
  mountFrom?: string
  /** How many bytes are on their way or there. */
  onBytes?: (bytes: number) => void
}

interface Session {
  location: URL
  /** Bytes that the registry has of this upload. */
  at: number
  chunkBytes: number
}

export interface UploadOptions {
  signal?: AbortSignal
  /** A blob up to this size goes in one request, a larger one in pieces of it, so that a break costs one piece. */
  pieceBytes?: number
}

const defaultPieceBytes = 32 * 2 ** 20
const maxFailures = 4

/** Changes one repository: blobs and manifests (distribution spec, "Pushing"). What is there is not sent again. */
export class Uploads {
  readonly #reference: Reference
  readonly #source: Source
  readonly #retry: Retry
  readonly #signal: AbortSignal | undefined
  readonly #pieceBytes: number
  #mayMount = true

  constructor(reference: Reference, source: Source, retry: Retry, options: UploadOptions = {}) {
    this.#reference = reference
    this.#source = source
    this.#retry = retry
    this.#signal = options.signal
    this.#pieceBytes = options.pieceBytes ?? defaultPieceBytes
  }

  async blob(blob: Blob, source: UploadSource): Promise<'exists' | 'mounted' | 'done'> {
    if (await this.#has(`blobs/${blob.digest}`)) return 'exists'
    for (let session: Session | undefined, failures = 0; ; ) {
      try {
        session ??= await this.#start(blob, source.mountFrom)
        if (session === undefined) return 'mounted'
        await this.#send(blob, session, source)
        return 'done'
      } catch (error) {
        failures += 1
        if (this.#signal?.aborted || !isTransient(error) || failures === maxFailures) throw error
        this.#retry.log.warn('an upload broke off and goes on', { blob: blob.digest, at: session?.at, error })
        await this.#retry.clock.sleep(backOffMs(failures, [error], this.#retry.random), this.#signal)
        session = session && (await this.#resume(blob, session).catch(() => undefined))
      }
    }
  }

  /** Under the tag, or by its digest when there is none. The registry must not have made anything else of it. */
  async manifest(bytes: Buffer, mediaType: string, digest: string, tag: string | undefined): Promise<void> {
    const put = async () => {
      const answer = await this.#ask(this.#url(`manifests/${tag ?? digest}`), {
        method: 'PUT',
        headers: { 'content-type': mediaType },
        body: () => bytes,
      })
      return await this.#expect(answer, [201, 200, 202], `manifest ${digest}`)
    }
    const answer = await fromFirst([this.#source], put, this.#retry, this.#signal)
    const stored = answer.headers['docker-content-digest']
    if (isDigest(stored)) requireDigest(stored, digest, `manifest as ${this.#source.endpoint.name} stored it`)
  }

  /** Whether a manifest or blob is there. */
  async #has(path: string): Promise<boolean> {
    const head = async () => {
      const answer = await this.#ask(this.#url(path), { method: 'HEAD' })
      if (answer.status === 404 || answer.status === 200) return answer.status === 200
      throw await refused(answer, path, this.#source)
    }
    return await fromFirst([this.#source], head, this.#retry, this.#signal)
  }

  /**
   * Undefined: the registry took the blob over from another repository. That is an offer: who may push here need not
   * be allowed to read there, and some registries refuse the whole request then.
   */
  async #start(blob: Blob, mountFrom: string | undefined): Promise<Session | undefined> {
    if (mountFrom === undefined || !this.#mayMount) return await this.#begin(blob)
    try {
      return await this.#begin(blob, mountFrom)
    } catch (error) {
      if (
        !hasCode(error, 'UNAUTHENTICATED') &&
        !hasCode(error, 'PERMISSION_DENIED') &&
        !hasCode(error, 'NOT_FOUND')
      )
        throw error
      this.#mayMount = false
      return await this.#begin(blob)
    }
  }

  async #begin(blob: Blob, mountFrom?: string): Promise<Session | undefined> {
    const url = this.#url('blobs/uploads/')
    if (mountFrom !== undefined) url.searchParams.set('mount', blob.digest)
    if (mountFrom !== undefined) url.searchParams.set('from', mountFrom)
    const answer = await this.#ask(url, { method: 'POST', headers: { 'content-length': '0' } })
    await this.#expect(answer, [201, 202], `an upload to ${this.#reference.repository}`)
    if (answer.status === 201) return undefined
    const least = Number(answer.headers['oci-chunk-min-length'] ?? 0)
    return { location: locationOf(answer), at: 0, chunkBytes: Math.max(this.#pieceBytes, least || 0) }
  }

  async #send(blob: Blob, session: Session, source: UploadSource): Promise<void> {
    const inPieces = blob.sizeBytes > session.chunkBytes
    while (inPieces && session.at < blob.sizeBytes) {
      const end = Math.min(blob.sizeBytes, session.at + session.chunkBytes)
      const answer = await this.#ask(session.location, {
        method: 'PATCH',
        headers: { ...octets(end - session.at), 'content-range': `${session.at}-${end - 1}` },
        body: () => counted(source.read(session.at, end), session.at, source.onBytes),
      })
      await this.#expect(answer, [202, 201, 204], `a piece of blob ${blob.digest}`)
      Object.assign(session, { location: locationOf(answer), at: reached(answer, session.at, end) })
    }
    const url = new URL(session.location)
    url.searchParams.set('digest', blob.digest)
    const rest = inPieces ? 0 : blob.sizeBytes
    const answer = await this.#ask(url, {
      method: 'PUT',
      headers: octets(rest),
      ...(rest > 0 && { body: () => counted(source.read(0, rest), 0, source.onBytes) }),
    })
    await this.#expect(answer, [201, 200, 204], `blob ${blob.digest}`)
    const stored = answer.headers['docker-content-digest']
    if (isDigest(stored))
      requireDigest(stored, blob.digest, `blob as ${this.#source.endpoint.name} stored it`)
  }

  /** Where an upload in pieces stands; undefined when it must begin anew. */
  async #resume(blob: Blob, session: Session): Promise<Session | undefined> {
    if (blob.sizeBytes <= session.chunkBytes) return undefined
    const answer = await this.#ask(session.location, { method: 'GET' })
    await discard(answer, this.#source.connection.pace)
    if (answer.status !== 204) return undefined
    const at = rangeEnd(answer)
    if (at === undefined || at > blob.sizeBytes) return undefined
    return { ...session, location: locationOf(answer, session.location), at }
  }

  #url(path: string): URL {
    return this.#source.connection.url(`/${this.#reference.repository}/${path}`)
  }

  async #ask(url: URL, request: RegistryRequest): Promise<Answer> {
    const signal = this.#signal && { signal: this.#signal }
    return await this.#source.connection.send(url, { ...request, access: 'push', ...signal })
  }

  async #expect(answer: Answer, statuses: readonly number[], what: string): Promise<Answer> {
    if (!statuses.includes(answer.status)) throw await refused(answer, what, this.#source)
    await discard(answer, this.#source.connection.pace)
    return answer
  }
}

function octets(bytes: number): Record<string, string> {
  return { 'content-type': 'application/octet-stream', 'content-length': String(bytes) }
}

async function* counted(
  body: AsyncIterable<Buffer>,
  start: number,
  onBytes: UploadSource['onBytes'],
): AsyncIterable<Buffer> {
  let at = start
  for await (const chunk of body) {
    yield chunk
    at += chunk.length
    onBytes?.(at)
  }
}

/** Every answer may move the upload elsewhere; the address is to be used as it is. */
function locationOf({ headers: { location }, url }: Answer, otherwise?: URL): URL {
  if (location !== undefined && URL.canParse(location, url.href)) {
    const found = new URL(location, url)
    if (found.protocol === 'https:' || found.protocol === url.protocol) return found
  }
  if (otherwise) return otherwise
  throw new RegistryError('UNAVAILABLE', `registry ${url.host} does not say where to upload to`)
}

function rangeEnd({ headers: { range } }: Answer): number | undefined {
  const end = /^(?:bytes=)?0-(\d+)$/.exec(range ?? '')?.[1]
  return end === undefined ? undefined : Number(end) + 1
}

/** A registry may have taken less than it was sent, never more. */
function reached(answer: Answer, start: number, end: number): number {
  const at = rangeEnd(answer) ?? end
  if (at > start && at <= end) return at
  throw new RegistryError('UNAVAILABLE', `registry ${answer.url.host} has lost a part of the upload`, {
    isTransient: true,
  })
}
