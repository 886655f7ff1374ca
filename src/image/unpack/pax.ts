import { KeelsonError } from '../../base/index.ts'

/**
 * Records of a pax extended header (POSIX.1-2017 pax, "pax Header Block"): each `length key=value\n`. Keys and
 * values come back as byte strings (latin1): names need not be UTF-8, and xattr values are binary.
 */
export function parsePax(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = Object.create(null)
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const length = space < 0 ? Number.NaN : decimal(bytes.toString('latin1', at, space))
    const end = at + length
    const equals = bytes.indexOf(0x3d, space)
    if (!(end <= bytes.length) || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) malformed()
    const key = bytes.toString('latin1', space + 1, equals)
    addRecord(records, key, bytes.toString('latin1', equals + 1, end - 1))
    at = end
  }
  return records
}

/** The oldest sparse format (PAX 0.0) repeats two keys in turn; together they are the map of the next one. */
function addRecord(records: Record<string, string>, key: string, value: string): void {
  const isPart = key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes'
  if (!isPart) records[key] = value
  else {
    const known = records['GNU.sparse.map']
    records['GNU.sparse.map'] = known === undefined ? value : `${known},${value}`
  }
}

function decimal(text: string): number {
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : Number.NaN
}

function malformed(): never {
  throw new KeelsonError('INVALID_ARGUMENT', 'the archive has a malformed pax header')
}
