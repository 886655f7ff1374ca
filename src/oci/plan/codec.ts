import { KeelsonError } from '../../base/index.ts'
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

class PlanWriter {
  #words: number[] = []
  #blob: Uint8Array[] = []
  #blobBytes = 0
  #offsets = new Map<string, number>()

  operation(operation: Operation): void {
    const shape = shapeOf(operation.op)
    const start = this.#words.push(0) - 1
    const values = operation as unknown as Record<string, Value>
    for (const [name, kind] of shape.args) this.#argument(kind, values[name], `${operation.op}.${name}`)
    this.#words[start] = shape.code | ((this.#words.length - start - 1) << 16)
  }

  finish(parentCount: number, childCount: number): Buffer {
    this.#append(Uint8Array.of(0))
    const listBytes = this.#words.length * 4
    const buffer = Buffer.allocUnsafe(headerBytes + listBytes + this.#blobBytes)
    const header = [magic, version, parentCount, childCount, listBytes, this.#blobBytes]
    let at = 0
    for (const word of [...header, ...this.#words]) at = buffer.writeUInt32LE(word >>> 0, at)
    for (const part of this.#blob) {
      buffer.set(part, at)
      at += part.length
    }
    return buffer
  }

  #argument(kind: ArgumentKind, value: Value | undefined, name: string): void {
    if (typeof value === 'string') this.#words.push(this.#string(value, name))
    else if (typeof value === 'bigint') this.#words.push(Number(value & 0xffffffffn), Number(value >> 32n))
    else if (typeof value === 'number') this.#words.push(value)
    else if (value instanceof Uint8Array) this.#words.push(this.#append(value), value.length)
    else if (value !== undefined) this.#words.push(this.#strings(value, name), value.length)
    else throw new KeelsonError('INTERNAL', `plan: ${name} (${kind}) is missing`)
  }

  #string(text: string, name: string): number {
    const known = this.#offsets.get(text)
    if (known !== undefined) return known
    const offset = this.#append(terminated(text, name))
    this.#offsets.set(text, offset)
    return offset
  }

  #strings(list: readonly string[], name: string): number {
    const offset = this.#blobBytes
    for (const text of list) this.#append(terminated(text, name))
    return offset
  }

  #append(bytes: Uint8Array): number {
    const offset = this.#blobBytes
    this.#blob.push(bytes)
    this.#blobBytes += bytes.length
    return offset
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

function terminated(text: string, name: string): Buffer {
  if (text.includes('\0'))
    throw new KeelsonError('INVALID_ARGUMENT', `${name}: ${JSON.stringify(text)} holds a NUL byte`)
  return Buffer.from(`${text}\0`)
}
