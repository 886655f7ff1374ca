import { KeelsonError } from '../../../base/index.ts'
import { type Value, Variant } from '../../../dbus/index.ts'
import { shown } from '../../shown.ts'

/**
 * Values in GVariant's text form, as far as properties of units may be given by an annotation: booleans, numbers,
 * strings and lists of strings. Anything richer (a list of commands, say) is refused: an annotation may come from
 * somebody who is trusted less than the configuration (CVE-2024-3154).
 */
const numberTypes: Readonly<Record<string, string>> = {
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
  handle: 'h',
  double: 'd',
}
const bits: Readonly<Record<string, [bigint, bigint]>> = {
  y: [0n, 255n],
  n: [-(1n << 15n), (1n << 15n) - 1n],
  q: [0n, (1n << 16n) - 1n],
  i: [-(1n << 31n), (1n << 31n) - 1n],
  u: [0n, (1n << 32n) - 1n],
  h: [0n, (1n << 32n) - 1n],
  x: [-(1n << 63n), (1n << 63n) - 1n],
  t: [0n, (1n << 64n) - 1n],
}

/** INVALID_ARGUMENT naming `path` for what is none of these. */
export function parseVariant(text: string, path: string): Variant {
  const trimmed = text.trim()
  const found =
    trimmed === 'true' || trimmed === 'false'
      ? new Variant('b', trimmed === 'true')
      : (number(trimmed) ?? string(trimmed) ?? strings(trimmed))
  if (found) return found
  throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${shown(text)} is no value of a unit property`, {
    path,
    hint: "write for example true, uint64 5, 'text' or ['a', 'b']",
  })
}

function number(text: string): Variant | undefined {
  const [, name, type, digits = ''] =
    /^(?:(\w+) +|@([ynqiuxthd]) +)?([+-]?(?:0x[\da-f]+|\d+(?:\.\d+)?))$/i.exec(text) ?? []
  if (digits === '' || (name !== undefined && !(name in numberTypes))) return undefined
  const isReal = digits.includes('.')
  const code = type ?? (name === undefined ? (isReal ? 'd' : 'i') : (numberTypes[name] ?? ''))
  if (code === 'd') return new Variant('d', Number(digits))
  const [least = 0n, most = 0n] = bits[code] ?? []
  if (isReal) return undefined
  const value = digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''))
  if (value < least || value > most) return undefined
  return new Variant(code, code === 'x' || code === 't' ? value : Number(value))
}

const quoted = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/y

function string(text: string): Variant | undefined {
  const [value, end] = quotedAt(text.replace(/^(?:string|@s) +/, ''), 0)
  return value !== undefined && end === text.replace(/^(?:string|@s) +/, '').length
    ? new Variant('s', value)
    : undefined
}

function strings(text: string): Variant | undefined {
  const list = text.replace(/^@as +/, '')
  if (!list.startsWith('[') || !list.endsWith(']')) return undefined
  const values: Value[] = []
  let at = 1
  const skip = () => {
    while (list[at] === ' ') at++
  }
  for (skip(); at < list.length - 1; skip()) {
    const [value, end] = quotedAt(list, at)
    if (value === undefined) return undefined
    values.push(value)
    at = end
    skip()
    if (at === list.length - 1) break
    if (list[at++] !== ',') return undefined
  }
  return new Variant('as', values)
}

function quotedAt(text: string, at: number): [value: string | undefined, end: number] {
  quoted.lastIndex = at
  const match = quoted.exec(text)
  if (!match) return [undefined, at]
  const raw = match[1] ?? match[2] ?? ''
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }
  return [raw.replace(/\\(.)/gs, (_, one: string) => escapes[one] ?? one), quoted.lastIndex]
}
