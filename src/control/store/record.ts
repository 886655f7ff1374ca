/**
 * How the store lies in the ledger. One record per event under `r/<revision>/<position>`, both in fixed-width
 * hexadecimal, so that reading in key order replays the store; new records go to the end, which is what lmdb
 * writes fastest. Leases lie under `l/<id>`, the compacted revision under `m/compacted`.
 *
 *     0           1                9         17      25          29    29+n
 *     | u8        | f64            | f64     | f64   | u32       | UTF-8 |
 *     | format, 1 | createRevision | version | lease | n         | key   | value …
 *
 * Bit 7 of the first byte marks a removal.
 */
import { KeelsonError } from '../../base/index.ts'
import type { RecordId } from './versions.ts'

export interface StoredEvent {
  key: string
  removed: boolean
  createRevision: number
  version: number
  lease: number
  value: Uint8Array
}

const format = 1
const removedBit = 0x80
const headerBytes = 29

export const recordRange = { start: 'r/', end: 'r0' }
export const leaseRange = { start: 'l/', end: 'l0' }
export const compactedKey = 'm/compacted'

export function recordKey({ revision, position }: RecordId): string {
  return `r/${revision.toString(16).padStart(14, '0')}/${position.toString(16).padStart(4, '0')}`
}

export function parseRecordKey(key: string): RecordId {
  const [, revision = '', position = ''] = key.split('/')
  return { revision: Number.parseInt(revision, 16), position: Number.parseInt(position, 16) }
}

export function leaseKey(id: number): string {
  return `l/${id.toString(16).padStart(14, '0')}`
}

export function parseLeaseKey(key: string): number {
  return Number.parseInt(key.slice(2), 16)
}

export function encodeRecord(event: StoredEvent): Buffer {
  const keyBytes = Buffer.byteLength(event.key)
  const record = Buffer.allocUnsafe(headerBytes + keyBytes + event.value.byteLength)
  record.writeUInt8(format | (event.removed ? removedBit : 0), 0)
  record.writeDoubleLE(event.createRevision, 1)
  record.writeDoubleLE(event.version, 9)
  record.writeDoubleLE(event.lease, 17)
  record.writeUInt32LE(keyBytes, 25)
  record.write(event.key, headerBytes)
  record.set(event.value, headerBytes + keyBytes)
  return record
}

export function decodeRecord(bytes: Uint8Array, at: string): StoredEvent {
  const record = Buffer.from(bytes) // a copy: the ledger may reuse its own
  const head = record.length >= headerBytes ? record.readUInt8(0) : 0
  const keyBytes = record.length >= headerBytes ? record.readUInt32LE(25) : 0
  if ((head & ~removedBit) !== format || headerBytes + keyBytes > record.length)
    throw new KeelsonError('DATA_LOSS', `store record ${at} cannot be read`, { id: at })
  return {
    key: record.toString('utf8', headerBytes, headerBytes + keyBytes),
    removed: (head & removedBit) !== 0,
    createRevision: record.readDoubleLE(1),
    version: record.readDoubleLE(9),
    lease: record.readDoubleLE(17),
    value: record.subarray(headerBytes + keyBytes),
  }
}
