import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { bootId } from '../base/index.ts'
import type { Operation } from './ledger.ts'

/**
 * Commits that are not in the store yet, one frame each:
 *
 *     u32 bytes of the payload, u32 CRC-32 of it, payload
 *     payload: u8 kind (1 put, 2 remove), u16 key bytes, key, u32 value bytes, value; once per operation
 *
 * The file begins with a frame whose payload is the boot id and the generation (u32): a file of another boot tells of
 * things that are not any more. A frame that is not whole was not acknowledged, and ends the file.
 */
const put = 1
const remove = 2
const headBytes = 8

export class JournalFile implements Disposable {
  #fd: number
  #bytes = 0

  /** Made when absent; what it holds is lost: read it before. */
  constructor(path: string) {
    this.#fd = openSync(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
      0o600,
    )
  }

  get bytes(): number {
    return this.#bytes
  }

  /** One write(2) of a file in memory: instant. */
  append(generation: number, operations: readonly Operation[]): void {
    if (this.#bytes === 0) this.#write(frame(header(generation)))
    this.#write(frame(encodeOperations(operations)))
  }

  clear(): void {
    if (this.#bytes > 0) ftruncateSync(this.#fd, 0)
    this.#bytes = 0
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
    this.#fd = -1 // its number may soon be another file's
  }

  #write(bytes: Uint8Array): void {
    let written = 0
    while (written < bytes.length)
      written += writeSync(this.#fd, bytes, written, bytes.length - written, this.#bytes + written)
    this.#bytes += written // only when whole: what failed in the middle is written over
  }
}

export interface JournalContent {
  generation: number
  commits: Operation[][]
}

/** What a process of this boot left there; undefined when there is nothing of the kind. */
export function readJournal(path: string): JournalContent | undefined {
  const [first, ...rest] = payloads(readOrEmpty(path))
  if (!first || first.toString('utf8', 4) !== bootId()) return undefined
  return { generation: first.readUInt32LE(0), commits: rest.map(decodeOperations) }
}

function readOrEmpty(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function header(generation: number): Buffer {
  const number = Buffer.alloc(4)
  number.writeUInt32LE(generation)
  return Buffer.concat([number, Buffer.from(bootId())])
}

function frame(payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(crc32(payload), 4)
  return Buffer.concat([head, payload])
}

function* payloads(bytes: Buffer): Generator<Buffer> {
  let at = 0
  while (at + headBytes <= bytes.length) {
    const end = at + headBytes + bytes.readUInt32LE(at)
    const payload = bytes.subarray(at + headBytes, end)
    if (end > bytes.length || crc32(payload) !== bytes.readUInt32LE(at + 4)) return
    yield payload
    at = end
  }
}

export function encodeOperations(operations: readonly Operation[]): Buffer {
  return Buffer.concat(
    operations.flatMap((operation) => {
      const isPut = 'put' in operation
      const key = Buffer.from(isPut ? operation.put : operation.remove)
      const value = isPut ? operation.value : new Uint8Array(0)
      const head = Buffer.alloc(3)
      head.writeUInt8(isPut ? put : remove, 0)
      head.writeUInt16LE(key.length, 1)
      const size = Buffer.alloc(4)
      size.writeUInt32LE(value.length)
      return [head, key, size, value]
    }),
  )
}

/** Of a whole payload, as its checksum told. */
export function decodeOperations(payload: Buffer): Operation[] {
  const operations: Operation[] = []
  for (let at = 0; at < payload.length; ) {
    const kind = payload.readUInt8(at)
    const keyEnd = at + 3 + payload.readUInt16LE(at + 1)
    const key = payload.toString('utf8', at + 3, keyEnd)
    const end = keyEnd + 4 + payload.readUInt32LE(keyEnd)
    operations.push(kind === put ? { put: key, value: payload.subarray(keyEnd + 4, end) } : { remove: key })
    at = end
  }
  return operations
}
