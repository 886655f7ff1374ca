import { refuseSize } from '../content-store.ts'
import type { NamedBlob } from '../layer-store.ts'
import type { Answer } from './answer.ts'
import { chunksOf, discard, type Pace } from './body.ts'
import { isTransient, RegistryError } from './failures.ts'
import { refused } from './refused.ts'
import { backOffMs, fromFirst, type Retry } from './retry.ts'
import type { Source } from './source.ts'

interface DownloadOptions {
  repository: string
  sources: readonly Source[]
  retry: Retry
  signal: AbortSignal
  /** So many bytes are here already. */
  offset?: number
}

/** A download may break off this often without bringing much in between. */
const maxFailures = 5
const muchBytes = 2 ** 20

/**
 * Yields the bytes of a blob from an offset on. What breaks off midway goes on from there, by a Range where the
 * server obeys one and by skipping what is known where it does not. That the bytes are right is for the caller to
 * verify; here only lengths and ranges are.
 */
export async function* download(blob: NamedBlob, options: DownloadOptions): AsyncIterable<Buffer> {
  const { retry, signal } = options
  let at = options.offset ?? 0
  let failures = 0
  while (at < blob.sizeBytes || at === 0) {
    const before = at
    try {
      for await (const chunk of await open(blob, at, options)) {
        yield chunk
        at += chunk.length
      }
      return // a body that ended too early was meant to: the digest will tell
    } catch (error) {
      failures = at - before >= muchBytes ? 1 : failures + 1
      if (signal.aborted || !isTransient(error) || failures >= maxFailures) throw error
      retry.log.warn('a download broke off and goes on', { blob: blob.digest, at, error })
      await retry.clock.sleep(backOffMs(failures, [error], retry.random), signal)
    }
  }
}

/** The body from `at` on, of the first server that gives it. */
async function open(blob: NamedBlob, at: number, options: DownloadOptions): Promise<AsyncIterable<Buffer>> {
  const { sources, retry, signal, repository } = options
  const fetch = async (source: Source) => {
    const { connection, endpoint, url } = source
    const headers = { ...(at > 0 && { range: `bytes=${at}-` }) }
    const answer = await connection.send(url ?? connection.url(`/${repository}/blobs/${blob.digest}`), {
      headers,
      signal,
    })
    if (answer.status !== 200 && answer.status !== 206)
      throw await refused(answer, `blob ${blob.digest}`, source)
    const skip = await skipOf(answer, blob, at, connection.pace)
    return after(skip, chunksOf(answer, endpoint.name, connection.pace))
  }
  return await fromFirst(sources, fetch, retry, signal)
}

/** How many of the bytes to come are known already. DATA_LOSS when it is not this blob that comes. */
async function skipOf(answer: Answer, blob: NamedBlob, at: number, pace: Pace): Promise<number> {
  const length = answer.headers['content-length']
  if (answer.status === 200) {
    if (length === undefined || Number(length) === blob.sizeBytes) return at
    await discard(answer, pace)
    return refuseSize(blob, length)
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers['content-range'] ?? '')
  const [, first, last, total] = range ?? []
  const fits =
    Number(first) === at &&
    Number(last) < blob.sizeBytes &&
    (total === '*' || Number(total) === blob.sizeBytes)
  if (fits) return 0
  await discard(answer, pace)
  throw new RegistryError(
    'DATA_LOSS',
    `blob ${blob.digest}: asked for the bytes from ${at} on, got ${answer.headers['content-range'] ?? 'no range'}`,
  )
}

async function* after(skip: number, chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let left = skip
  for await (const chunk of chunks) {
    if (chunk.length > left) yield left > 0 ? chunk.subarray(left) : chunk
    left = Math.max(0, left - chunk.length)
  }
}
