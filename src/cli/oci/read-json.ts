import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { asKeelsonError, hasErrno, KeelsonError, parseExactJson } from '../../base/index.ts'

/** Far above what any caller writes, and little enough to be read, parsed and copied in a moment. */
const largestBytes = 16 << 20
/** config.json is 8 levels deep; recursion over what somebody nests must end before the stack does. */
const deepest = 500

/**
 * A JSON file of a caller, `-` for standard input. NOT_FOUND, or INVALID_ARGUMENT for what is no JSON, too large or
 * nested too deeply: all of it in bounded memory and time.
 */
export function readJson(path: string): unknown {
  return parseJson(readText(path), path)
}

/** The text of that file. */
export function parseJson(text: string, path: string): unknown {
  if (hasMoreBrackets(text, deepest) && nestingOf(text) > deepest)
    throw new KeelsonError('INVALID_ARGUMENT', `${path} is nested deeper than ${deepest} levels`, { path })
  try {
    return parseExactJson(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new KeelsonError('INVALID_ARGUMENT', `${path} is not JSON: ${why}${placeOf(why, text)}`, { path })
  }
}

function readText(path: string): string {
  let fd = 0
  try {
    if (path !== '-') fd = openSync(path, 'r')
    return readLimited(fd, path)
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new KeelsonError('NOT_FOUND', `${path}: no such file or directory`, {
        path,
        hint: 'give the right --bundle',
      })
    throw asKeelsonError(error, { path })
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}

/** A file says how large it is; a pipe is read until it ends or is too long. */
function readLimited(fd: number, path: string): string {
  const chunks: Buffer[] = []
  let bytes = 0
  for (const { size } = fstatSync(fd); Math.max(size, bytes) <= largestBytes; ) {
    const chunk = Buffer.allocUnsafe(1 << 16)
    const count = readSync(fd, chunk)
    if (count === 0) return Buffer.concat(chunks).toString('utf8')
    chunks.push(chunk.subarray(0, count))
    bytes += count
  }
  throw new KeelsonError('INVALID_ARGUMENT', `${path} is larger than ${largestBytes >> 20} MiB`, { path })
}

/** Few files have, and only those need to be walked through character by character. */
function hasMoreBrackets(text: string, most: number): boolean {
  let count = 0
  for (const bracket of '[{')
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (++count > most) return true
  return false
}

function nestingOf(text: string): number {
  let depth = 0
  let most = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x22) inString = !inString
    else if (inString) at += character === 0x5c ? 1 : 0
    else if (character === 0x7b || character === 0x5b) most = Math.max(most, ++depth)
    else if (character === 0x7d || character === 0x5d) depth--
  }
  return most
}

/** The parser counts characters; people count lines. */
function placeOf(why: string, text: string): string {
  const position = /position (\d+)/.exec(why)?.[1]
  if (position === undefined) return ''
  const lines = text.slice(0, Number(position)).split('\n')
  return ` (line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1})`
}
