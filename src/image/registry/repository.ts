import { KeelsonError } from '../../base/index.ts'
import { requireDigest } from '../content-store.ts'
import { digestOf, isDigest, splitDigest } from '../digest.ts'
import type { Referrer } from '../image-store.ts'
import type { NamedBlob } from '../layer-store.ts'
import { maxManifestBytes } from '../manifest.ts'
import { acceptedTypes } from '../media-types.ts'
import { formatReference, type Reference } from '../reference.ts'
import type { Answer } from './answer.ts'
import { readBytes } from './body.ts'
import { download } from './download.ts'
import type { Capability } from './mirrors.ts'
import { listReferrers } from './referrers.ts'
import { refused } from './refused.ts'
import { fromFirst, type Retry } from './retry.ts'
import type { Source } from './source.ts'
import { type UploadOptions, Uploads } from './uploads.ts'

export interface FetchedManifest {
  bytes: Buffer
  digest: string
  contentType?: string
}

export interface RepositoryOptions {
  reference: Reference
  sources: readonly Source[]
  /** A server that an image itself names. */
  elsewhere: (url: URL) => Promise<Source>
  retry: Retry
}

const maxStrangers = 5

/** One repository of a registry and of its mirrors. */
export class Repository {
  readonly #reference: Reference
  readonly #sources: readonly Source[]
  readonly #elsewhere: RepositoryOptions['elsewhere']
  readonly #retry: Retry

  constructor({ reference, sources, elsewhere, retry }: RepositoryOptions) {
    this.#reference = reference
    this.#sources = sources
    this.#elsewhere = elsewhere
    this.#retry = retry
  }

  /** By the digest given, else by the reference's own digest or tag; the bytes are verified against the digest. */
  async manifest(digest: string | undefined, signal?: AbortSignal): Promise<FetchedManifest> {
    const expected = digest ?? this.#reference.digest
    const name = expected ?? this.#reference.tag ?? 'latest'
    const sources = this.#able(expected === undefined ? 'resolve' : 'pull')
    const fetch = async (source: Source) => {
      const answer = await this.#get(source, `manifests/${name}`, acceptedTypes, signal)
      const bytes = await readBytes(answer, maxManifestBytes, source.endpoint.name, source.connection.pace)
      const claimed = expected ?? answer.headers['docker-content-digest']
      const actual = digestOf(bytes, isDigest(claimed) ? splitDigest(claimed).algorithm : 'sha256')
      if (isDigest(claimed))
        requireDigest(
          actual,
          claimed,
          `manifest ${formatReference(this.#reference)} from ${source.endpoint.name}`,
        )
      const contentType = answer.headers['content-type']
      return { bytes, digest: actual, ...(contentType !== undefined && { contentType }) }
    }
    return await fromFirst(sources, fetch, this.#retry, signal)
  }

  /** The bytes of a blob from `offset` on, not yet verified. What breaks off goes on where it was. */
  async *blob(blob: NamedBlob, options: { signal: AbortSignal; offset?: number }): AsyncIterable<Buffer> {
    const { repository } = this.#reference
    const sources = [...this.#able('pull'), ...(await this.#strangers(blob))]
    yield* download(blob, { repository, sources, retry: this.#retry, ...options })
  }

  /** Manifests whose subject has this digest, from the first that knows. */
  async referrers(
    digest: string,
    artifactType: string | undefined,
    signal?: AbortSignal,
  ): Promise<Referrer[]> {
    const list = (source: Source) =>
      listReferrers(digest, artifactType, source.endpoint.name, source.connection.pace, (path, accept) =>
        this.#ask(source, path, accept, signal),
      )
    return await fromFirst(this.#able('pull'), list, this.#retry, signal)
  }

  /** The way to change it: only the first server that takes pushes. */
  uploads(options: UploadOptions = {}): Uploads {
    const [source] = this.#able('push')
    if (source) return new Uploads(this.#reference, source, this.#retry, options)
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `no server of ${this.#reference.host} that takes pushes is configured`,
    )
  }

  /** Where the image itself says that a layer is, which its registry may not have (image-spec descriptor.md, `urls`). */
  async #strangers({ urls = [] }: NamedBlob): Promise<Source[]> {
    const mayBePlain = this.#sources.some(({ endpoint }) => endpoint.origin.startsWith('http:'))
    const safe = urls
      .filter((text) => URL.canParse(text))
      .map((text) => new URL(text))
      .filter(({ protocol }) => protocol === 'https:' || (protocol === 'http:' && mayBePlain))
    return await Promise.all(safe.slice(0, maxStrangers).map((url) => this.#elsewhere(url)))
  }

  #able(capability: Capability): readonly Source[] {
    const able = this.#sources.filter(({ endpoint }) => endpoint.capabilities.includes(capability))
    if (able.length > 0) return able
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `no server of ${this.#reference.host} is configured for ${capability}`,
    )
  }

  async #get(source: Source, path: string, accept: string, signal: AbortSignal | undefined): Promise<Answer> {
    const answer = await this.#ask(source, path, accept, signal)
    if (answer.status === 200) return answer
    throw await refused(answer, `image ${formatReference(this.#reference)}`, source)
  }

  async #ask(
    { connection }: Source,
    path: string,
    accept: string,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const url = connection.url(`/${this.#reference.repository}/${path}`)
    return await connection.send(url, { headers: { accept }, ...(signal && { signal }) })
  }
}
