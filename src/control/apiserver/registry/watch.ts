import { type Clock, hasCode } from '../../../base/index.ts'
import type { Store, StoreEvent } from '../../store/index.ts'
import type { Sink, StreamBody } from '../http/message.ts'
import type { Presenter } from '../present/presenter.ts'
import { StatusError, statusOf } from '../status.ts'
import { badBody } from './decode.ts'
import { integer, list, revisionOf, tooLarge } from './list.ts'
import { prefixOf, type Registry } from './registry.ts'
import type { Selection } from './selection.ts'
import type { Served } from './served.ts'

/** A watcher that lags by more than this is disconnected; it will come back and list anew. */
const bufferedBytesMax = 16 * 1024 * 1024
const bookmarkEveryMs = 60_000
const defaultTimeoutSeconds = 1800

interface WatchRequest {
  allowBookmarks: boolean
  timeoutMs: number
  /** Objects to send first, as ADDED. */
  initial: readonly Served[]
  /** Send a bookmark that ends the initial objects. */
  markEnd: boolean
  afterRevision: number
}

/**
 * The changes of a collection as a stream of lines. An object that begins or stops matching the selection shows as
 * ADDED or DELETED. Errors that are known before the first line are thrown; later ones end the stream with an
 * ERROR event.
 */
export async function watch(
  registry: Registry,
  selection: Selection,
  query: URLSearchParams,
  presenter: Presenter,
): Promise<StreamBody> {
  const request = await readRequest(registry, selection, query, presenter)
  return (sink, signal) => new Watcher(registry, selection, presenter, request, sink).run(signal)
}

async function readRequest(
  registry: Registry,
  selection: Selection,
  query: URLSearchParams,
  _presenter: Presenter,
): Promise<WatchRequest> {
  const allowBookmarks = flag(query, 'allowWatchBookmarks')
  const wantsInitial = query.has('sendInitialEvents') ? flag(query, 'sendInitialEvents') : undefined
  checkInitial(query, wantsInitial)
  const seconds = integer(query, 'timeoutSeconds') || defaultTimeoutSeconds
  const common = { allowBookmarks, timeoutMs: seconds * 1000 }
  const from = revisionOf(query)
  if (from !== undefined && from > registry.store.revision) throw tooLarge(from, registry.store.revision)
  if (wantsInitial === true || (wantsInitial === undefined && !from)) {
    const { items, revision } = await list(registry, selection, new URLSearchParams())
    return {
      ...common,
      initial: items,
      afterRevision: revision,
      markEnd: wantsInitial === true && allowBookmarks,
    }
  }
  const afterRevision = from || registry.store.revision
  if (afterRevision < registry.store.compactedRevision) throw tooOld(afterRevision, registry.store)
  return { ...common, initial: [], afterRevision, markEnd: false }
}

function checkInitial(query: URLSearchParams, wanted: boolean | undefined): void {
  const match = query.get('resourceVersionMatch') || undefined
  if (wanted === undefined && match !== undefined) {
    throw badBody('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')
  }
  if (wanted !== undefined && match !== 'NotOlderThan') {
    throw badBody('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  }
}

class Watcher {
  readonly #registry: Registry
  readonly #selection: Selection
  readonly #presenter: Presenter
  readonly #request: WatchRequest
  readonly #sink: Sink
  #finish: () => void = () => {}

  constructor(
    registry: Registry,
    selection: Selection,
    presenter: Presenter,
    request: WatchRequest,
    sink: Sink,
  ) {
    this.#registry = registry
    this.#selection = selection
    this.#presenter = presenter
    this.#request = request
    this.#sink = sink
  }

  async run(signal: AbortSignal): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    if (signal.aborted) return
    signal.addEventListener('abort', this.#finish, { once: true })
    const { clock, store } = this.#registry
    using cancelTimeout = disposable(clock.after(this.#request.timeoutMs, this.#finish))
    try {
      this.#sendInitial()
      using watch = await store.watch({
        prefix: prefixOf(this.#selection.kind, this.#selection.namespace),
        afterRevision: this.#request.afterRevision,
        onEvents: (events) => this.#send(events),
        onEnd: (error) => this.#fail(error),
      })
      using cancelBookmarks = this.#sendBookmarks(clock, watch)
      await done
      void cancelBookmarks
    } catch (error) {
      this.#fail(error)
    }
    void cancelTimeout
  }

  #sendInitial(): void {
    for (const served of this.#request.initial) this.#write(this.#presenter.watchLine('ADDED', served))
    if (!this.#request.markEnd) return
    const annotations = { 'k8s.io/initial-events-end': 'true' }
    this.#write(this.#presenter.bookmarkLine(this.#request.afterRevision, annotations))
  }

  #send(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const line = this.#lineOf(event)
      if (line) this.#write(line)
    }
    if (this.#sink.bufferedBytes > bufferedBytesMax) this.#finish()
  }

  #lineOf(event: StoreEvent): Uint8Array | undefined {
    const { cache } = this.#selection.kind
    const before = event.previous && this.#matching(cache.live(event.previous))
    if (event.type === 'remove') {
      return before && this.#presenter.watchLine('DELETED', cache.removed(event.previous, event.revision))
    }
    const now = this.#matching(cache.live(event.entry))
    if (now) return this.#presenter.watchLine(before ? 'MODIFIED' : 'ADDED', now)
    if (!before || !event.previous) return undefined
    return this.#presenter.watchLine('DELETED', cache.removed(event.previous, event.revision))
  }

  #matching(served: Served): Served | undefined {
    return this.#selection.matches(served) ? served : undefined
  }

  #sendBookmarks(clock: Clock, watch: { readonly revision: number }): Disposable {
    let cancel = () => {}
    const later = () => {
      cancel = clock.after(bookmarkEveryMs, () => {
        this.#write(this.#presenter.bookmarkLine(watch.revision))
        later()
      })
    }
    if (this.#request.allowBookmarks) later()
    return { [Symbol.dispose]: () => cancel() }
  }

  #fail(error: unknown): void {
    const status = hasCode(error, 'EXPIRED')
      ? tooOld(this.#request.afterRevision, this.#registry.store).status
      : statusOf(error)
    if (!hasCode(error, 'UNAVAILABLE'))
      this.#write(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`))
    this.#finish()
  }

  #write(line: Uint8Array): void {
    this.#sink.write(line)
  }
}

function tooOld(asked: number, { compactedRevision }: Store): StatusError {
  return new StatusError('Expired', `too old resource version: ${asked} (${compactedRevision})`)
}

function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value !== null && !['false', '0', ''].includes(value.toLowerCase())
}

function disposable(cancel: () => void): Disposable {
  return { [Symbol.dispose]: cancel }
}
