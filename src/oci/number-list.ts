import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'

/** The most processors and memory nodes that a Linux kernel can be built for, and some room. */
const largest = 8191

/**
 * Processors or memory nodes as the kernel's own files write them, `0-3,8`, as a mask in little endian: whole 64-bit
 * words, empty for an empty list. INVALID_ARGUMENT with the path.
 */
export function numberListMask(list: string, path: string): Uint8Array {
  const numbers = list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => numbersOf(part, path))
  const bytes = new Uint8Array(numbers.length === 0 ? 0 : 8 * (Math.floor(Math.max(...numbers) / 64) + 1))
  for (const number of numbers) bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (1 << (number & 7))
  return bytes
}

function numbersOf(part: string, path: string): number[] {
  const [, first, last] = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part) ?? []
  const from = Number(first)
  const to = Number(last ?? first)
  if (first === undefined || to < from || to > largest)
    throw new KeelsonError('INVALID_ARGUMENT', `${path}: ${shown(part)} is no number or range`, {
      path,
      hint: 'write numbers and ranges such as 0-3,8',
    })
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
