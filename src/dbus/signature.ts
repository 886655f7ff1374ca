import { KeelsonError } from '../base/index.ts'

/** A type of the D-Bus specification ("Type System"): one complete type of a signature. */
export type Type =
  | { kind: 'basic'; code: string }
  | { kind: 'array'; of: Type }
  | { kind: 'struct'; fields: Type[] }
  | { kind: 'entry'; key: Type; value: Type }
  | { kind: 'variant' }

const basic = 'ybnqiuxtdsogh'
const deepest = 32

/** Every complete type of a signature, in order. INVALID_ARGUMENT for what is no signature. */
export function parseSignature(signature: string): Type[] {
  if (signature.length > 255) throw invalid(signature)
  const types: Type[] = []
  for (let at = 0; at < signature.length; ) {
    const [type, next] = parseType(signature, at, 0)
    types.push(type)
    at = next
  }
  return types
}

/** Exactly one complete type. */
export function parseSingle(signature: string): Type {
  const [type, ...more] = parseSignature(signature)
  if (!type || more.length > 0) throw invalid(signature)
  return type
}

function parseType(signature: string, at: number, depth: number): [Type, number] {
  const code = signature[at]
  if (code === undefined || depth > deepest) throw invalid(signature)
  if (basic.includes(code)) return [{ kind: 'basic', code }, at + 1]
  if (code === 'v') return [{ kind: 'variant' }, at + 1]
  if (code === '(') return parseStruct(signature, at + 1, depth + 1)
  if (code !== 'a') throw invalid(signature)
  if (signature[at + 1] === '{') return parseEntries(signature, at + 2, depth + 1)
  const [of, next] = parseType(signature, at + 1, depth + 1)
  return [{ kind: 'array', of }, next]
}

function parseStruct(signature: string, start: number, depth: number): [Type, number] {
  const fields: Type[] = []
  let at = start
  while (signature[at] !== ')') {
    const [field, next] = parseType(signature, at, depth)
    fields.push(field)
    at = next
  }
  if (fields.length === 0) throw invalid(signature)
  return [{ kind: 'struct', fields }, at + 1]
}

function parseEntries(signature: string, start: number, depth: number): [Type, number] {
  const [key, afterKey] = parseType(signature, start, depth)
  const [value, end] = parseType(signature, afterKey, depth)
  if (key.kind !== 'basic' || signature[end] !== '}') throw invalid(signature)
  return [{ kind: 'array', of: { kind: 'entry', key, value } }, end + 1]
}

function invalid(signature: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${JSON.stringify(signature)} is no D-Bus signature`)
}

/** Where values of a type begin: at a multiple of this many bytes. */
export function alignmentOf(type: Type): number {
  if (type.kind === 'struct' || type.kind === 'entry') return 8
  if (type.kind === 'array') return 4
  if (type.kind === 'variant') return 1
  return { y: 1, g: 1, n: 2, q: 2, x: 8, t: 8, d: 8 }[type.code] ?? 4
}
