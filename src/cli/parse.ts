import { KeelsonError } from '../base/index.ts'
import type { Given, Option, Options } from './command.ts'

/**
 * Words of the command line, read as Go's flag package does, since runc's callers are written for that: `-x` and
 * `--x` are the same, a value follows after `=` or as the next word, and options end at `--`.
 */
export interface Parsed {
  given: Record<string, string | boolean | string[] | undefined>
  /** The words that are no options, in order. */
  rest: string[]
}

export interface ParseSettings {
  /** Options may also follow arguments; otherwise they end at the first one, and what follows is somebody else's. */
  interleaved?: boolean
}

/** INVALID_ARGUMENT for an option that is unknown, or whose value is missing or wrong. */
export function parseOptions(
  words: readonly string[],
  options: Options,
  { interleaved = false }: ParseSettings = {},
): Parsed {
  const given: Parsed['given'] = {}
  const rest: string[] = []
  let index = 0
  for (; index < words.length; index++) {
    const word = words[index] ?? ''
    if (word === '--') {
      index++
      break
    }
    if (!/^-./.test(word)) {
      if (!interleaved) break
      rest.push(word)
      continue
    }
    const [, name = '', inline] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    const [key, option] = findOption(name, options)
    if (option.type === 'boolean') given[key] = booleanValue(name, inline)
    else {
      const value = inline ?? words[++index]
      if (value === undefined) throw invalid(`the option --${key} needs a value`)
      given[key] = option.type === 'strings' ? [...((given[key] as string[]) ?? []), value] : value
    }
  }
  return { given, rest: [...rest, ...words.slice(index)] }
}

/** Names the words that are left: `container` required, `signal?` optional, `command...` all others. */
export function nameArguments(rest: readonly string[], names: readonly string[]): Given {
  const left = [...rest]
  const given: Record<string, string | string[] | undefined> = {}
  for (const name of names) {
    if (name.endsWith('...')) given[name.slice(0, -3)] = left.splice(0)
    else if (name.endsWith('?')) given[name.slice(0, -1)] = left.shift()
    else {
      const value = left.shift()
      if (value === undefined || value === '') throw invalid(`<${name}> is missing`)
      given[name] = value
    }
  }
  if (left.length > 0) throw invalid(`${JSON.stringify(left[0])} is one argument too many`)
  return given
}

function findOption(name: string, options: Options): [string, Option] {
  const found = Object.entries(options).find(([key, { short }]) => key === name || short === name)
  if (found) return found
  throw invalid(`there is no option ${name.length === 1 ? '-' : '--'}${name}`)
}

function booleanValue(name: string, inline: string | undefined): boolean {
  if (inline === undefined || inline === 'true' || inline === '1') return true
  if (inline === 'false' || inline === '0') return false
  throw invalid(`--${name} is true or false, not ${JSON.stringify(inline)}`)
}

function invalid(message: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', message, { hint: 'see --help' })
}
