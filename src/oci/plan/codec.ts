import { KeelsonError } from '../../base/index.ts'
import { shown } from '../shown.ts'
import {
  type ArgumentKind,
  type Operation,
  type OperationName,
  operationTable,
  type Plan,
} from './operations.ts'

/**
 * The binary form of a plan; native/init/plan.h describes it. Integers are little endian. The decoder here serves
 * tests and `--dry-run`; the one that counts is native/init/plan.c.
 */
const magic = 0x4e4c504b
const version = 1
const headerBytes = 24

type Value = number | bigint | string | Uint8Array | readonly string[]
interface Shape {
  name: OperationName
  code: number
  args: readonly (readonly [string, ArgumentKind])[]
}

const shapes: Readonly<Record<string, Shape>> = Object.fromEntries(
  Object.entries(operationTable).map(([name, { code, args }]) => [
    name,
    { name: name as OperationName, code, args: Object.entries(args) as [string, ArgumentKind][] },
  ]),
)
const shapeByCode = new Map(Object.values(shapes).map((shape) => [shape.code, shape]))

export function encodePlan(plan: Plan): Buffer {
  const writer = new PlanWriter()
  for (const operation of plan.parent) writer.operation(operation)
  for (const operation of plan.child) writer.operation(operation)
  return writer.finish(plan.parent.length, plan.child.length)
}

/** DATA_LOSS when the bytes are no plan. */
export function decodePlan(bytes: Uint8Array): Plan {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    if (view.readUInt32LE(0) !== magic || view.readUInt32LE(4) !== version) throw new RangeError('header')
    const reader = new PlanReader(view)
    return {
      parent: Array.from({ length: view.readUInt32LE(8) }, () => reader.operation()),
      child: Array.from({ length: view.readUInt32LE(12) }, () => reader.operation()),
    }
  } catch (cause) {
    throw new KeelsonError('DATA_LOSS', 'these bytes are no plan of this version', { cause })
  }
}

/** Kept between plans and grown when one does not fit: encoding never waits, so no two use it at the same time. */
const scratch = { words: new Uint32Array(2048), blob: Buffer.allocUnsafeSlow(1 << 16) }

class PlanWriter {
  #wordCount = 0
  #blobBytes = 0
  #offsets = new Map<string, number>()

  operation(operation: Operation): void {
    const shape = shapeOf(operation.op)
    const start = this.#wordCount
    this.#word(0)
    const values = operation as unknown as Record<string, Value>
    for (const [name, kind] of shape.args) this.#argument(kind, values[name], operation.op, name)
    scratch.words[start] = shape.code | ((this.#wordCount - start - 1) << 16)
  }

  finish(parentCount: number, childCount: number): Buffer {
    this.#append(Uint8Array.of(0))
    const listBytes = this.#wordCount * 4
    const buffer = Buffer.allocUnsafe(headerBytes + listBytes + this.#blobBytes)
    let at = 0
    for (const word of [magic, version, parentCount, childCount, listBytes, this.#blobBytes])
      at = buffer.writeUInt32LE(word, at)
    buffer.set(new Uint8Array(scratch.words.buffer, 0, listBytes), at) // both architectures are little endian
    scratch.blob.copy(buffer, at + listBytes, 0, this.#blobBytes)
    return buffer
  }

  #argument(kind: ArgumentKind, value: Value | undefined, op: string, name: string): void {
    if (typeof value === 'string') this.#word(this.#string(value, op, name))
    else if (typeof value === 'number') this.#word(value)
    else if (typeof value === 'bigint') this.#pair(Number(value & 0xffffffffn), Number(value >> 32n))
    else if (value instanceof Uint8Array) this.#pair(this.#append(value), value.length)
    else if (value !== undefined) this.#pair(this.#strings(value, op, name), value.length)
    else throw new KeelsonError('INTERNAL', `plan: ${op}.${name} (${kind}) is missing`)
  }

  #pair(first: number, second: number): void {
    this.#word(first)
    this.#word(second)
  }

  #word(word: number): void {
    if (this.#wordCount === scratch.words.length) {
      const larger = new Uint32Array(scratch.words.length * 2)
      larger.set(scratch.words)
      scratch.words = larger
    }
    scratch.words[this.#wordCount++] = word
  }

  #string(text: string, op: string, name: string): number {
    const known = this.#offsets.get(text)
    if (known !== undefined) return known
    const offset = this.#terminated(text, op, name)
    this.#offsets.set(text, offset)
    return offset
  }

  #strings(list: readonly string[], op: string, name: string): number {
    const offset = this.#blobBytes
    for (const text of list) this.#terminated(text, op, name)
    return offset
  }

  #terminated(text: string, op: string, name: string): number {
    if (text.includes('\0'))
      throw new KeelsonError('INVALID_ARGUMENT', `${op}.${name}: ${shown(text)} holds a NUL byte`)
    const offset = this.#blobBytes
    this.#reserve(text.length * 3 + 1) // UTF-8 takes three bytes per UTF-16 unit at most
    this.#blobBytes += scratch.blob.write(text, offset)
    scratch.blob[this.#blobBytes++] = 0
    return offset
  }

  #append(bytes: Uint8Array): number {
    const offset = this.#blobBytes
    this.#reserve(bytes.length)
    scratch.blob.set(bytes, offset)
    this.#blobBytes += bytes.length
    return offset
  }

  #reserve(bytes: number): void {
    const needed = this.#blobBytes + bytes
    if (needed <= scratch.blob.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, scratch.blob.length * 2))
    scratch.blob.copy(larger, 0, 0, this.#blobBytes)
    scratch.blob = larger
  }
}

class PlanReader {
  #at = headerBytes
  readonly #view: Buffer
  readonly #blob: Buffer

  constructor(view: Buffer) {
    this.#view = view
    this.#blob = view.subarray(headerBytes + view.readUInt32LE(16))
    if (this.#blob.length !== view.readUInt32LE(20)) throw new RangeError('length')
  }

  operation(): Operation {
    const head = this.#word()
    const shape = shapeByCode.get(head & 0xffff)
    const end = this.#at + (head >>> 16) * 4
    if (!shape) throw new RangeError(`operation ${head & 0xffff}`)
    const values: [string, Value][] = shape.args.map(([name, kind]) => [name, this.#argument(kind)])
    if (this.#at !== end) throw new RangeError(`length of ${shape.name}`)
    return { op: shape.name, ...Object.fromEntries(values) } as unknown as Operation
  }

  #argument(kind: ArgumentKind): Value {
    const first = this.#word()
    if (kind === 'string') return this.#string(first)[0]
    if (kind === 'u32' || kind === 'fd' || kind === 'newFd') return first
    const second = this.#word()
    if (kind === 'u64') return BigInt(first) | (BigInt(second) << 32n)
    if (kind === 'bytes') return new Uint8Array(this.#blob.subarray(first, first + second))
    return this.#strings(first, second)
  }

  #word(): number {
    const word = this.#view.readUInt32LE(this.#at)
    this.#at += 4
    return word
  }

  #string(offset: number): [string, number] {
    const end = this.#blob.indexOf(0, offset)
    if (end < 0 || offset > this.#blob.length) throw new RangeError('string')
    return [this.#blob.toString('utf8', offset, end), end + 1]
  }

  #strings(offset: number, count: number): string[] {
    const list: string[] = []
    for (let at = offset; list.length < count; ) {
      const [text, next] = this.#string(at)
      list.push(text)
      at = next
    }
    return list
  }
}

function shapeOf(name: string): Shape {
  const shape = shapes[name]
  if (!shape) throw new KeelsonError('INTERNAL', `plan: unknown operation ${name}`)
  return shape
}
