/**
 * The versions of every key that reads and watchers can still ask for, in memory.
 *
 * Each key has its versions in revision order; a removal is a version without entry (a tombstone). Beside them lies
 * the log of events by revision, from the first one after the compacted revision. Compaction to `c` keeps of each
 * key the newest version at or below `c` unless that is a tombstone, so that a read at `c` still answers.
 */
import { KeelsonError } from '../../base/index.ts'
import { OrderedMap } from './ordered-map.ts'
import type { Entry, ListQuery, ListResult, StoreEvent } from './store.ts'

interface Version {
  revision: number
  /** Position among the events of its revision. */
  position: number
  entry: Entry | undefined
}

/** Names one event of the log: where its record lies on disk. */
export interface RecordId {
  revision: number
  position: number
}

interface LoggedRevision {
  revision: number
  events: readonly StoreEvent[]
}

export class Versions {
  readonly #keys = new OrderedMap<Version[]>()
  #log: LoggedRevision[] = []
  #logBytes = 0
  #revision: number
  #compacted: number

  constructor(revision: number, compacted: number) {
    this.#revision = revision
    this.#compacted = compacted
  }

  get revision(): number {
    return this.#revision
  }

  get compacted(): number {
    return this.#compacted
  }

  /** Bytes of values that only the log still needs, roughly: what compaction could free. */
  get logBytes(): number {
    return this.#logBytes
  }

  current(key: string): Entry | undefined {
    return this.#keys.get(key)?.at(-1)?.entry
  }

  get(key: string, revision: number): Entry | undefined {
    const versions = this.#keys.get(key)
    return versions && versionAt(versions, revision)?.entry
  }

  list({ prefix, after, limit }: ListQuery, revision: number): ListResult {
    const entries: Entry[] = []
    let remaining = 0
    this.#keys.walk(after !== undefined && after > prefix ? after : prefix, (key, versions) => {
      if (!key.startsWith(prefix)) return false
      const entry = key === after ? undefined : versionAt(versions, revision)?.entry
      if (entry === undefined) return true
      if (limit !== undefined && entries.length >= limit) remaining++
      else entries.push(entry)
      return true
    })
    return { entries, revision, remaining }
  }

  /** Events after this revision, one group per revision, oldest first. */
  since(revision: number): readonly LoggedRevision[] {
    let low = 0
    let high = this.#log.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#log[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return this.#log.slice(low)
  }

  /** Takes in the events of the next revision. */
  append(revision: number, events: readonly StoreEvent[]): void {
    events.forEach((event, position) => {
      this.#push(event.key, { revision, position, entry: event.type === 'put' ? event.entry : undefined })
      this.#logBytes += sizeOf(event)
    })
    this.#log.push({ revision, events })
    this.#revision = revision
  }

  /** Takes in a version from before the compacted revision, which has no event any more. */
  restore(entry: Entry, position: number): void {
    this.#push(entry.key, { revision: entry.modRevision, position, entry })
  }

  /** The records that a compaction to this revision makes superfluous; changes nothing yet. */
  superseded(revision: number): RecordId[] {
    const keys = new Set(this.#logged(revision).flatMap(({ events }) => events.map(({ key }) => key)))
    return [...keys].flatMap((key) => supersededOf(this.#keys.get(key) ?? [], revision))
  }

  compact(revision: number): void {
    const passed = this.#logged(revision)
    for (const { events } of passed) for (const { key } of events) this.#prune(key, revision)
    for (const { events } of passed) for (const event of events) this.#logBytes -= sizeOf(event)
    this.#log = this.#log.slice(passed.length)
    this.#compacted = Math.max(this.#compacted, revision)
  }

  /** The oldest revision to compact to so that at most this many bytes stay in the log. */
  revisionKeeping(bytes: number): number {
    let excess = this.#logBytes - bytes
    for (const { revision, events } of this.#log) {
      if (excess <= 0) return revision - 1
      for (const event of events) excess -= sizeOf(event)
    }
    return this.#revision
  }

  #logged(revision: number): readonly LoggedRevision[] {
    const later = this.since(revision).length
    return this.#log.slice(0, this.#log.length - later)
  }

  #push(key: string, version: Version): void {
    const versions = this.#keys.get(key)
    if (versions) versions.push(version)
    else this.#keys.set(key, [version])
  }

  #prune(key: string, revision: number): void {
    const versions = this.#keys.get(key)
    if (!versions) return
    versions.splice(0, supersededOf(versions, revision).length)
    if (versions.length === 0) this.#keys.delete(key)
  }
}

/** Newest version at or below a revision. Almost always the last one, so the search begins there. */
function versionAt(versions: readonly Version[], revision: number): Version | undefined {
  const last = versions[versions.length - 1]
  if (last && last.revision <= revision) return last
  for (let index = versions.length - 2; index >= 0; index--) {
    const version = versions[index]
    if (version && version.revision <= revision) return version
  }
  return undefined
}

/** The leading versions that no read at or after `revision` can reach. */
function supersededOf(versions: readonly Version[], revision: number): readonly Version[] {
  const passed = versions.filter((one) => one.revision <= revision)
  return passed.at(-1)?.entry ? passed.slice(0, -1) : passed
}

function sizeOf(event: StoreEvent): number {
  const value = event.type === 'put' ? event.entry.value.byteLength : 0
  return value + 2 * event.key.length + 200
}

/** INVALID_ARGUMENT or EXPIRED unless the revision lies in the retained window. */
export function assertRetained(versions: Versions, revision: number): void {
  if (revision > versions.revision)
    throw new KeelsonError(
      'INVALID_ARGUMENT',
      `revision ${revision} is not reached yet: ${versions.revision}`,
    )
  if (revision < versions.compacted)
    throw new KeelsonError(
      'EXPIRED',
      `revision ${revision} is compacted, the oldest is ${versions.compacted}`,
    )
}
