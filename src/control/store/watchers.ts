import { asKeelsonError, type Logger } from '../../base/index.ts'
import type { StoreEvent, Watch, WatchOptions } from './store.ts'
import type { Versions } from './versions.ts'

/** Hands out events. Watchers of one prefix share one filtering of the events. */
export class Watchers {
  readonly #byPrefix = new Map<string, Set<Watcher>>()
  readonly #versions: Versions
  readonly #log: Logger

  constructor(versions: Versions, log: Logger) {
    this.#versions = versions
    this.#log = log
  }

  /**
   * First what happened after `afterRevision`, then everything new. Both in one turn of the event loop, so that no
   * event can fall between them.
   */
  add(options: WatchOptions, afterRevision: number): Watch {
    const watcher = new Watcher(options, this.#versions, (one) => this.#drop(one))
    for (const { events } of this.#versions.since(afterRevision)) {
      const wanted = events.filter(({ key }) => key.startsWith(options.prefix))
      if (wanted.length > 0 && watcher.active) this.#call(watcher, wanted)
    }
    if (!watcher.active) return watcher
    const group = this.#byPrefix.get(options.prefix)
    if (group) group.add(watcher)
    else this.#byPrefix.set(options.prefix, new Set([watcher]))
    return watcher
  }

  publish(events: readonly StoreEvent[]): void {
    for (const [prefix, group] of this.#byPrefix) {
      const wanted = events.filter(({ key }) => key.startsWith(prefix))
      if (wanted.length > 0) for (const watcher of group) this.#call(watcher, wanted)
    }
  }

  endAll(error: Error): void {
    for (const group of [...this.#byPrefix.values()]) for (const watcher of [...group]) watcher.end(error)
  }

  #call(watcher: Watcher, events: readonly StoreEvent[]): void {
    try {
      watcher.options.onEvents(events)
    } catch (error) {
      // It has missed something now, so it must not go on as if it had not.
      this.#log.error('store watcher failed', { prefix: watcher.options.prefix, error })
      watcher.end(asKeelsonError(error, { op: 'watch' }))
    }
  }

  #drop(watcher: Watcher): void {
    const { prefix } = watcher.options
    const group = this.#byPrefix.get(prefix)
    group?.delete(watcher)
    if (group?.size === 0) this.#byPrefix.delete(prefix)
  }
}

class Watcher implements Watch {
  readonly options: WatchOptions
  readonly #versions: Versions
  readonly #drop: (watcher: Watcher) => void
  #endedAt: number | undefined

  constructor(options: WatchOptions, versions: Versions, drop: (watcher: Watcher) => void) {
    this.options = options
    this.#versions = versions
    this.#drop = drop
  }

  get active(): boolean {
    return this.#endedAt === undefined
  }

  get revision(): number {
    return this.#endedAt ?? this.#versions.revision
  }

  end(error: Error): void {
    if (!this.active) return
    this[Symbol.dispose]()
    this.options.onEnd(error)
  }

  [Symbol.dispose](): void {
    this.#endedAt ??= this.#versions.revision
    this.#drop(this)
  }
}
