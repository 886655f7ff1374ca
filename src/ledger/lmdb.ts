import { mkdir } from 'node:fs/promises'
import { open, type RangeOptions, type RootDatabase } from 'lmdb'
import { asKeelsonError, KeelsonError } from '../base/index.ts'
import { refuseForeignFile } from './file-header.ts'
import { decodeKey, encodeBound, encodeKey } from './key.ts'
import type { Ledger, LedgerOptions, Operation, Range } from './ledger.ts'

const defaultMapSizeBytes = 64 * 2 ** 30 // never `64 << 30`: that is 0 in JavaScript, and lmdb dies of it

export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  try {
    await mkdir(options.path, { recursive: true, mode: 0o700 })
    await refuseForeignFile(options.path)
    const db = open<Buffer, Buffer>({
      path: options.path,
      // With overlapping sync (the default) a put resolves before its fsync.
      overlappingSync: false,
      // Its batches of a turn make promises that nobody has: where the disk is full, they would end the process.
      eventTurnBatching: false,
      encoding: 'binary',
      // Raw bytes: the default key encoding escapes control characters in short keys only and splits long keys
      // at NUL, so neither the order nor the key itself would survive.
      keyEncoding: 'binary',
      mapSize: options.mapSizeBytes ?? defaultMapSizeBytes,
      noMemInit: true,
    })
    return new LmdbLedger(db, options.path)
  } catch (error) {
    throw storeError(error, { op: 'open ledger', path: options.path })
  }
}

class LmdbLedger implements Ledger {
  readonly #db: RootDatabase<Buffer, Buffer>
  readonly #path: string
  #open = true

  constructor(db: RootDatabase<Buffer, Buffer>, path: string) {
    this.#db = db
    this.#path = path
  }

  get(key: string): Uint8Array | undefined {
    this.#requireOpen('get')
    return this.#db.get(encodeKey(key))
  }

  range(range: Range): Iterable<readonly [string, Uint8Array]> {
    this.#requireOpen('range')
    const options = rangeOptions(range)
    return options ? this.#entries(options) : []
  }

  *#entries(options: RangeOptions): Iterable<readonly [string, Uint8Array]> {
    this.#requireOpen('range')
    for (const { key, value } of this.#db.getRange(options)) {
      yield [decodeKey(key), value]
      this.#requireOpen('range') // lmdb would follow its cursor into an unmapped file
    }
  }

  async commit(operations: readonly Operation[]): Promise<void> {
    this.#requireOpen('commit')
    if (operations.length === 0) return
    // Everything that can be wrong with a key is found before the first operation is queued: all or none.
    const writes = operations.map(encodeOperation)
    try {
      await this.#db.batch(() => {
        // Each is told of a failure as the batch is; untaken, that would end the process.
        for (const { key, value } of writes)
          (value ? this.#db.put(key, value) : this.#db.remove(key)).catch(() => undefined)
      })
    } catch (error) {
      throw storeError(await reasonOf(error), { op: 'commit', path: this.#path })
    }
  }

  async backup(directory: string): Promise<void> {
    this.#requireOpen('backup')
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await this.#db.backup(directory, true)
    } catch (error) {
      throw storeError(error, { op: 'backup', path: directory })
    }
  }

  /** Waits for the commits that were begun; later calls throw FAILED_PRECONDITION. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#db.close()
  }

  #requireOpen(op: string): void {
    if (!this.#open)
      throw new KeelsonError('FAILED_PRECONDITION', 'the ledger is closed', { op, path: this.#path })
  }
}

/** lmdb's options for our range; undefined when nothing can lie in it. */
function rangeOptions({ start, end, limit, reverse }: Range): RangeOptions | undefined {
  const low = start === undefined ? undefined : encodeBound(start)
  const high = end === undefined ? undefined : encodeBound(end)
  if (high && Buffer.compare(low ?? Buffer.alloc(0), high) >= 0) return undefined
  const cap = limit === undefined ? {} : { limit }
  // lmdb's own default start lies above keys that begin with a control character, so the lowest key is always
  // named. It walks a reversed range from its start downwards, both ends swapped: [low, high) becomes (high, low].
  const from = low?.length ? low : lowestKey
  if (!reverse) return { ...cap, start: from, ...(high && { end: high }) }
  return {
    ...cap,
    reverse: true,
    ...(high && { start: high, exclusiveStart: true }),
    end: from,
    inclusiveEnd: true,
  }
}

const lowestKey = Buffer.from([0])

function encodeOperation(operation: Operation): { key: Buffer; value?: Buffer } {
  if (!('put' in operation)) return { key: encodeKey(operation.remove) }
  // A copy: lmdb reads the bytes on its writer thread, after the caller may have used its buffer again.
  return { key: encodeKey(operation.put), value: Buffer.from(operation.value) }
}

const codes: [RegExp, ConstructorParameters<typeof KeelsonError>[0]][] = [
  [/MDB_MAP_FULL|ENOSPC|No space left|EDQUOT|quota/i, 'RESOURCE_EXHAUSTED'],
  [/MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_INVALID|MDB_VERSION_MISMATCH|not an LMDB file/i, 'DATA_LOSS'],
  [/EACCES|Permission denied|EROFS|Read-only/i, 'PERMISSION_DENIED'],
]

/** lmdb says that a commit failed, and why in a promise beside it, which it rejects within the same turn. */
async function reasonOf(error: unknown): Promise<unknown> {
  const why = error instanceof Error && 'commitError' in error ? error.commitError : undefined
  if (!(why instanceof Promise)) return error
  const later = new Promise((resolve) => setImmediate(resolve, error))
  return await Promise.race([why.catch((reason: unknown) => reason), later])
}

/** lmdb tells its errors apart by text only. */
function storeError(error: unknown, details: { op: string; path: string }): KeelsonError {
  const text = error instanceof Error ? error.message : String(error)
  const code = codes.find(([pattern]) => pattern.test(text))?.[1]
  if (!code) return asKeelsonError(error, details)
  return new KeelsonError(code, `${details.op} ${details.path}: ${text}`, { ...details, cause: error })
}
