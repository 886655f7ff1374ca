import { shown } from '../shown.ts'
import { fail } from './fail.ts'

/**
 * The JSON shape of a value as data (runtime-spec schema/*.json), and the check that a parsed file has it. Fields
 * that are not named are nobody's business: the specification wants them ignored.
 */
export type Shape =
  | 'string'
  | 'boolean'
  | 'object'
  /** Of any size; what goes to the kernel has a range instead. */
  | 'integer'
  /** 64 bits, all of them meant: beyond 2^53 a bigint. */
  | 'bits64'
  | { range: readonly [low: number, high: number] }
  | { words: readonly string[] }
  | { pattern: RegExp; means: string }
  | { list: Shape }
  | { map: Shape }
  | { fields: Readonly<Record<string, Shape>>; required?: readonly string[] }

/** Other numbers are doubles: the last of 64 bits are lost above 2^53, and 2^64 - 1 arrives as 2^64. */
export const ranges = {
  u16: { range: [0, 2 ** 16 - 1] },
  u32: { range: [0, 2 ** 32 - 1] },
  i32: { range: [-(2 ** 31), 2 ** 31 - 1] },
  u64: { range: [0, 2 ** 64] },
  i64: { range: [-(2 ** 63), 2 ** 63] },
} as const satisfies Record<string, Shape>

/**
 * Throws INVALID_ARGUMENT at the first value that does not fit, with its JSON path. `null` counts as absent, since
 * Go programs write it for empty lists; a copy without them is returned.
 */
export function checkShape(value: unknown, shape: Shape, path: string): unknown {
  if (shape === 'bits64') return checkBits(value, path)
  if (typeof shape === 'string') return checkScalar(value, shape, path)
  if ('range' in shape) return checkRange(value, shape.range, path)
  if ('words' in shape) return checkWord(value, shape.words, path)
  if ('pattern' in shape) return checkPattern(value, shape, path)
  if ('list' in shape) {
    if (!Array.isArray(value)) throw wrongType(value, 'a list', path)
    return value.map((item, index) => checkShape(item, shape.list, `${path}[${index}]`))
  }
  if (!isObject(value)) throw wrongType(value, 'an object', path)
  const present = Object.entries(value).filter(([, item]) => item !== null && item !== undefined)
  return 'map' in shape ? checkMap(present, shape.map, path) : checkFields(present, shape, path)
}

function checkMap(present: readonly [string, unknown][], shape: Shape, path: string): unknown {
  const entries = present.map(([key, item]) => {
    if (key === '' || key.includes('\0')) fail(`${path}[${shown(key)}]`, 'is no name', 'remove it')
    return [key, checkShape(item, shape, `${path}[${shown(key)}]`)] as const
  })
  return Object.fromEntries(entries)
}

function checkFields(
  present: readonly [string, unknown][],
  { fields, required = [] }: Extract<Shape, { fields: unknown }>,
  path: string,
): unknown {
  const below = (name: string) => (path === '' ? name : `${path}.${name}`)
  for (const name of required)
    if (!present.some(([key]) => key === name)) fail(below(name), 'is missing', 'add it')
  const entries = present.map(([key, item]) => {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    return [key, field === undefined ? item : checkShape(item, field, below(key))] as const
  })
  return Object.fromEntries(entries)
}

function checkScalar(value: unknown, shape: 'string' | 'boolean' | 'integer' | 'object', path: string) {
  if (shape === 'object') {
    if (!isObject(value)) throw wrongType(value, 'an object', path)
  } else if (shape === 'integer') {
    if (typeof value === 'bigint') return Number(value)
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, 'a whole number', path)
  } else if (typeof value !== shape) throw wrongType(value, `a ${shape}`, path)
  // The kernel ends every string at its first NUL: what follows would be dropped without a word.
  if (typeof value === 'string' && value.includes('\0')) fail(path, 'contains a NUL character', 'remove it')
  return value
}

function checkRange(value: unknown, [low, high]: readonly [number, number], path: string): number {
  const number = checkScalar(value, 'integer', path) as number
  if (number < low || number > high) fail(path, `${number} is out of range`, `use ${low} to ${high}`)
  return number
}

function checkBits(value: unknown, path: string): number | bigint {
  const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  if (!isWhole) throw wrongType(value, 'a whole number', path)
  if (value < 0 || value > 2 ** 64) fail(path, `${value} is out of range`, 'use 64 bits')
  return value
}

function checkWord(value: unknown, words: readonly string[], path: string): string {
  const word = checkScalar(value, 'string', path) as string
  if (!words.includes(word)) fail(path, `${shown(word)} is not known`, `use one of ${words.join(', ')}`)
  return word
}

function checkPattern(value: unknown, { pattern, means }: { pattern: RegExp; means: string }, path: string) {
  const text = checkScalar(value, 'string', path) as string
  if (!pattern.test(text)) fail(path, `${shown(text)} is not ${means}`, `write ${means}`)
  return text
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrongType(value: unknown, wanted: string, path: string): never {
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  const found = scalar ? `the ${typeof value} ${shown(value)}` : shown(value)
  return fail(path === '' ? 'the configuration' : path, `must be ${wanted}, not ${found}`, `write ${wanted}`)
}
