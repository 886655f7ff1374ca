import { constants } from 'node:fs'
import { capabilitiesOfMask } from '../capabilities.ts'
import { MOUNT_ATTR, MS } from '../mount-options.ts'
import { rlimInfinity, rlimitName } from '../rlimits.ts'
import { CLONE } from './constants.ts'

type Bits = readonly (readonly [name: string, bit: bigint])[]

const bitsOf = (table: Readonly<Record<string, number | bigint>>): Bits =>
  Object.entries(table).map(([name, bit]) => [name, BigInt(bit)])

const cloneBits = bitsOf(CLONE)
const openBits = bitsOf({
  WRONLY: constants.O_WRONLY,
  RDWR: constants.O_RDWR,
  CREAT: constants.O_CREAT,
  APPEND: constants.O_APPEND,
  DIRECTORY: constants.O_DIRECTORY,
  NOFOLLOW: constants.O_NOFOLLOW,
  PATH: 0o10000000,
})
const { ATIME_MASK, ...attributes } = MOUNT_ATTR
const attributeBits: Bits = [['ATIME', BigInt(ATIME_MASK)], ...bitsOf(attributes)]
const { SHARED, SLAVE, PRIVATE, UNBINDABLE, REC } = MS
const propagationBits = bitsOf({ SHARED, SLAVE, PRIVATE, UNBINDABLE, REC })

/** Arguments that are sets of bits, by operation and argument, or by argument alone. */
const bitArguments: Readonly<Record<string, Bits>> = {
  'clone.flags': cloneBits,
  'unshare.flags': cloneBits,
  'enterProcess.namespaces': cloneBits,
  'joinNamespace.type': cloneBits,
  'openPath.flags': openBits,
  'setPropagation.flags': propagationBits,
  propagation: propagationBits,
  attributes: attributeBits,
  set: attributeBits,
  clear: attributeBits,
  recursiveSet: attributeBits,
  recursiveClear: attributeBits,
}
const capabilityArguments = new Set(['kept', 'effective', 'permitted', 'inheritable', 'ambient'])

/** The value of an argument as a person would write it: modes in octal, bits by name, long bytes by their number. */
export function formatArgument(op: string, name: string, value: unknown): string {
  const bits = bitArguments[`${op}.${name}`] ?? bitArguments[name]
  if (typeof value === 'bigint' && capabilityArguments.has(name)) return list(capabilitiesOfMask(value))
  if (bits !== undefined && (typeof value === 'bigint' || typeof value === 'number'))
    return bitNames(BigInt(value), bits)
  if (name === 'mode' || name === 'umask') return `0${Number(value).toString(8)}`
  if (name === 'resource') return rlimitName(Number(value))
  if (name === 'score' || name === 'nice') return String(Number(value) | 0)
  if (value === rlimInfinity) return 'infinity'
  if (value instanceof Uint8Array) return bytesText(op, name, value)
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}

function bitNames(value: bigint, bits: Bits): string {
  let rest = value
  const names: string[] = []
  for (const [name, bit] of bits)
    if (bit !== 0n && (rest & bit) === bit) {
      names.push(name)
      rest &= ~bit
    }
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`)
  return names.length === 0 ? '0' : names.join('|')
}

const list = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(','))

/** Longer than this, text is only counted: the records of a container are thousands of bytes. */
const shownBytes = 80

function bytesText(op: string, name: string, bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (op === 'loadSeccomp') return `${bytes.length / 8} instructions`
  const numbers = () => Array.from({ length: bytes.length >> 2 }, (_, index) => text.readUInt32LE(index * 4))
  if (name === 'groups' || name === 'slots' || name === 'later') return list(numbers().map(String))
  if (name === 'propagation') return list(numbers().map((kind) => bitNames(BigInt(kind), propagationBits)))
  const readable = text.toString('latin1')
  return bytes.length <= shownBytes && /^[\t\n\x20-\x7e]*$/.test(readable)
    ? JSON.stringify(readable)
    : `<${bytes.length} bytes>`
}
