import { KeelsonError } from '../base/index.ts'

/**
 * The byte form of netlink: messages with a fixed header of their family followed by attributes (type, length, value,
 * padded to 4). Numbers are in the machine's order, which is little-endian on both our architectures.
 * netlink(7), and struct nlmsghdr and nlattr of linux/netlink.h.
 */
export interface NetlinkAttribute {
  type: number
  value: Buffer | readonly NetlinkAttribute[]
}

export interface NetlinkMessage {
  type: number
  flags: number
  /** Family header and attributes. */
  payload: Buffer
}

const messageHeaderBytes = 16
const attributeHeaderBytes = 4
const nestedFlag = 0x8000
const typeMask = 0x3fff

export function encodeMessage(
  type: number,
  flags: number,
  header: Buffer,
  attributes: readonly NetlinkAttribute[] = [],
): Buffer {
  const begin = messageHeaderBytes + align(header.length)
  const length = begin + lengthOf(attributes)
  const message = Buffer.alloc(length)
  message.writeUInt32LE(length, 0)
  message.writeUInt16LE(type, 4)
  message.writeUInt16LE(flags, 6)
  message.set(header, messageHeaderBytes)
  writeAttributes(message, begin, attributes)
  return message
}

/** Cuts a run of messages apart. DATA_LOSS when a length does not fit the bytes. */
export function decodeMessages(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const length = bytes.length - offset < messageHeaderBytes ? 0 : bytes.readUInt32LE(offset)
    if (length < messageHeaderBytes || length > bytes.length - offset) throw torn('message', offset)
    messages.push({
      type: bytes.readUInt16LE(offset + 4),
      flags: bytes.readUInt16LE(offset + 6),
      payload: bytes.subarray(offset + messageHeaderBytes, offset + length),
    })
    offset += align(length)
  }
  return messages
}

/** The attributes of a run, by type; of a type that comes twice, the last. DATA_LOSS when a length does not fit. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  for (let offset = 0; offset < bytes.length; ) {
    const length = bytes.length - offset < attributeHeaderBytes ? 0 : bytes.readUInt16LE(offset)
    if (length < attributeHeaderBytes || length > bytes.length - offset) throw torn('attribute', offset)
    attributes.set(
      bytes.readUInt16LE(offset + 2) & typeMask,
      bytes.subarray(offset + attributeHeaderBytes, offset + length),
    )
    offset += align(length)
  }
  return attributes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** A string with its closing zero. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

export function readText(value: Buffer): string {
  const end = value.indexOf(0)
  return value.toString('utf8', 0, end < 0 ? value.length : end)
}

export function readU32(value: Buffer | undefined): number | undefined {
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : undefined
}

/** As they are written, each padded. */
function lengthOf(attributes: readonly NetlinkAttribute[]): number {
  return attributes.reduce((sum, { value }) => sum + align(attributeHeaderBytes + contentLength(value)), 0)
}

function contentLength(value: NetlinkAttribute['value']): number {
  return Buffer.isBuffer(value) ? value.length : lengthOf(value)
}

function writeAttributes(message: Buffer, at: number, attributes: readonly NetlinkAttribute[]): void {
  let place = at
  for (const { type, value } of attributes) {
    const length = attributeHeaderBytes + contentLength(value)
    if (length > 0xffff) throw new KeelsonError('INVALID_ARGUMENT', `a netlink attribute of ${length} bytes`)
    const isNested = !Buffer.isBuffer(value)
    message.writeUInt16LE(length, place)
    message.writeUInt16LE(isNested ? type | nestedFlag : type, place + 2)
    if (isNested) writeAttributes(message, place + attributeHeaderBytes, value)
    else message.set(value, place + attributeHeaderBytes)
    place += align(length)
  }
}

function align(length: number): number {
  return (length + 3) & ~3
}

function torn(what: string, offset: number): KeelsonError {
  return new KeelsonError('DATA_LOSS', `netlink: a torn ${what} at byte ${offset}`)
}
