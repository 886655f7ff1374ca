import type { Ledger } from '../../ledger/index.ts'
import type { Leases } from './leases.ts'
import {
  compactedKey,
  decodeRecord,
  leaseRange,
  parseLeaseKey,
  parseRecordKey,
  recordRange,
  type StoredEvent,
} from './record.ts'
import type { Entry, StoreEvent } from './store.ts'
import { Versions } from './versions.ts'

const firstRevision = 1

/** Replays the ledger in revision order. The compacted revision is a floor: its last record may be a removed tombstone. */
export function loadVersions(ledger: Ledger, leases: Leases): Versions {
  for (const [key, value] of ledger.range(leaseRange))
    leases.hold({ id: parseLeaseKey(key), ttlMs: Number(Buffer.from(value).toString()) })
  const compacted = Number(Buffer.from(ledger.get(compactedKey) ?? Buffer.from('0')).toString())
  const versions = new Versions(Math.max(firstRevision, compacted), compacted)
  let events: StoreEvent[] = []
  let revision = 0
  const flush = () => {
    if (events.length > 0) versions.append(revision, events)
    for (const event of events) leases.follow(event)
    events = []
  }
  for (const [recordKey, bytes] of ledger.range(recordRange)) {
    const id = parseRecordKey(recordKey)
    const stored = decodeRecord(bytes, recordKey)
    if (id.revision <= compacted) {
      const entry = entryOf(stored, id.revision)
      versions.restore(entry, id.position)
      leases.follow({ type: 'put', key: entry.key, revision: id.revision, entry, previous: undefined })
      continue
    }
    if (id.revision !== revision) flush()
    revision = id.revision
    events.push(eventOf(stored, id.revision, versions.current(stored.key)))
  }
  flush()
  return versions
}

function entryOf({ key, value, createRevision, version, lease }: StoredEvent, revision: number): Entry {
  return { key, value, modRevision: revision, createRevision, version, lease }
}

function eventOf(stored: StoredEvent, revision: number, previous: Entry | undefined): StoreEvent {
  const { key, removed } = stored
  if (!removed) return { type: 'put', key, revision, entry: entryOf(stored, revision), previous }
  return { type: 'remove', key, revision, previous: previous ?? entryOf(stored, revision) }
}
