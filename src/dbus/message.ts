import { KeelsonError } from '../base/index.ts'
import { decodeValues, encodeValues, type Value, Variant } from './codec.ts'

/**
 * A message (D-Bus specification, "Message Protocol"):
 *
 *     byte order 'l' or 'B', type, flags, version 1, body length, serial, header fields a(yv), padding to 8, body
 */
export const messageType = { call: 1, reply: 2, error: 3, signal: 4 } as const

export interface Message {
  type: number
  flags: number
  serial: number
  path?: string
  interface?: string
  member?: string
  errorName?: string
  replySerial?: number
  destination?: string
  sender?: string
  signature: string
  body: Value[]
}

const fields = [
  ['path', 1, 'o'],
  ['interface', 2, 's'],
  ['member', 3, 's'],
  ['errorName', 4, 's'],
  ['replySerial', 5, 'u'],
  ['destination', 6, 's'],
  ['sender', 7, 's'],
  ['signature', 8, 'g'],
] as const

const fixedBytes = 16
const messageBytesMax = 1 << 27

export function encodeMessage(message: Message): Buffer {
  const body = encodeValues(message.signature, message.body)
  const present = fields.flatMap(([name, code, type]): Value[] => {
    const value = message[name]
    return value === undefined || value === '' ? [] : [[code, new Variant(type, value)]]
  })
  const { type, flags, serial } = message
  const header = encodeValues('yyyyuua(yv)', [
    'l'.charCodeAt(0),
    type,
    flags,
    1,
    body.length,
    serial,
    present,
  ])
  return Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8), body])
}

/** Cuts a byte stream into messages. DATA_LOSS for what is none. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Message[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Message[] = []
    for (let length = lengthOf(this.#rest); length !== undefined && length <= this.#rest.length; ) {
      messages.push(decodeMessage(this.#rest.subarray(0, length)))
      this.#rest = this.#rest.subarray(length)
      length = lengthOf(this.#rest)
    }
    return messages
  }
}

function lengthOf(bytes: Buffer): number | undefined {
  if (bytes.length < fixedBytes) return undefined
  const read = (at: number) => (isLittle(bytes) ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const length = Math.ceil((fixedBytes + read(12)) / 8) * 8 + read(4)
  if (length > messageBytesMax) throw new KeelsonError('DATA_LOSS', 'a D-Bus message is too long')
  return length
}

function isLittle(bytes: Buffer): boolean {
  const order = bytes.toString('latin1', 0, 1)
  if (order === 'l' || order === 'B') return order === 'l'
  throw new KeelsonError('DATA_LOSS', 'this is no D-Bus message')
}

export function decodeMessage(bytes: Buffer): Message {
  const little = isLittle(bytes)
  const [, type, flags, , bodyBytes, serial, list] = decodeValues('yyyyuua(yv)', bytes, little)
  const given = Object.fromEntries(
    (list as [number, Variant][]).flatMap(([code, { value }]) => {
      const field = fields.find(([, number]) => number === code)
      return field ? [[field[0], value]] : []
    }),
  )
  const signature = (given['signature'] as string | undefined) ?? ''
  const start = bytes.length - (bodyBytes as number)
  // From the start of the body, which is at a multiple of 8, as the alignment of its values wants it.
  const body = decodeValues(signature, Buffer.from(bytes.subarray(start)), little)
  return { ...given, type: type as number, flags: flags as number, serial: serial as number, signature, body }
}
