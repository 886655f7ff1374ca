import { mkdir } from 'node:fs/promises'
import { type Key, open, type RootDatabase } from 'lmdb'
import { asKeelsonError } from '../base/index.ts'
import type { Ledger, LedgerOptions, Operation, Range } from './ledger.ts'

const defaultMapSizeBytes = 64 * 2 ** 30 // never `64 << 30`: that is 0 in JavaScript, and lmdb dies of it

export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  try {
    await mkdir(options.path, { recursive: true, mode: 0o700 })
    return new LmdbLedger(
      open<Buffer, string>({
        path: options.path,
        // With overlapping sync (the default) a put resolves before its fsync.
        overlappingSync: false,
        encoding: 'binary',
        keyEncoding: 'ordered-binary',
        mapSize: options.mapSizeBytes ?? defaultMapSizeBytes,
        noMemInit: true,
      }),
    )
  } catch (error) {
    throw asKeelsonError(error, { op: 'open ledger', path: options.path })
  }
}

class LmdbLedger implements Ledger {
  readonly #db: RootDatabase<Buffer, string>

  constructor(db: RootDatabase<Buffer, string>) {
    this.#db = db
  }

  get(key: string): Uint8Array | undefined {
    return this.#db.get(key)
  }

  *range({ start, end, limit, reverse }: Range): Iterable<readonly [string, Uint8Array]> {
    // lmdb walks a reversed range from its start downwards, both ends swapped: [end, start) becomes (start, end].
    const options = {
      ...(reverse
        ? {
            ...(end === undefined ? {} : { start: end, exclusiveStart: true }),
            ...(start === undefined ? {} : { end: start, inclusiveEnd: true }),
          }
        : { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) }),
      ...(limit === undefined ? {} : { limit }),
      ...(reverse === undefined ? {} : { reverse }),
    }
    for (const { key, value } of this.#db.getRange(options)) yield [key as Key as string, value]
  }

  async commit(operations: readonly Operation[]): Promise<void> {
    await this.#db.batch(() => {
      for (const operation of operations) {
        if ('put' in operation) void this.#db.put(operation.put, asBuffer(operation.value))
        else void this.#db.remove(operation.remove)
      }
    })
  }

  async backup(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await this.#db.backup(directory, true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.close()
  }
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
