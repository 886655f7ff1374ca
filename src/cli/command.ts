import { parseArgs } from 'node:util'
import { KeelsonError } from '../base/index.ts'

/**
 * A command is data: its name, one line of summary, its arguments and options, and what to run. Parsing, help and
 * usage errors are the same for all of them.
 *
 *   args     'container'  needed · 'signal?'  may be left out · 'command...'  the rest, options of others included
 *   options  long names; `short` one letter; `value` is shown in the help
 */
export interface OptionSpec {
  type: 'boolean' | 'string'
  short?: string
  multiple?: true
  value?: string
  help: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

export type OptionValues<O extends OptionSpecs> = {
  [K in keyof O]?: O[K]['type'] extends 'boolean'
    ? boolean
    : O[K]['multiple'] extends true
      ? string[]
      : string
}

export interface Command<Context, O extends OptionSpecs = OptionSpecs> {
  name: string
  summary: string
  args?: readonly string[]
  options?: O
  /** Returns the exit code; nothing means 0. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a command that returns nothing succeeded
  run(context: Context, args: string[], options: OptionValues<O>): Promise<number | void>
}

/** Gives a command its option types; the identity at run time. */
export function command<Context, const O extends OptionSpecs>(
  spec: Command<Context, O>,
): Command<Context, O> {
  return spec
}

export interface Parsed<O extends OptionSpecs> {
  options: OptionValues<O>
  positionals: string[]
}

/**
 * Parses options up to the first positional when `stopAtPositional` is set (what follows belongs to somebody else,
 * as in `exec ID ls -l`), anywhere otherwise. A lone `--` ends them. INVALID_ARGUMENT on unknown or valueless ones.
 */
export function parseOptions<O extends OptionSpecs>(
  argv: readonly string[],
  specs: O,
  { stopAtPositional = false }: { stopAtPositional?: boolean } = {},
): Parsed<O> {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) },
    ]),
  )
  try {
    const end = stopAtPositional ? firstPositional(argv, options) : argv.length
    const { values, positionals } = parseArgs({ args: argv.slice(0, end), options, allowPositionals: true })
    const rest = argv.slice(end)
    return {
      options: values as OptionValues<O>,
      positionals: [...positionals, ...(stopAtPositional && rest[0] === '--' ? rest.slice(1) : rest)],
    }
  } catch (error) {
    throw usageError(error)
  }
}

/** Checks the number of positionals against `args` and says which one is missing. */
export function checkArguments(args: readonly string[], positionals: readonly string[]): void {
  const needed = args.filter((arg) => !arg.endsWith('?') && !arg.endsWith('...'))
  const missing = needed[positionals.length]
  if (missing) throw new KeelsonError('INVALID_ARGUMENT', `argument ${missing} is missing`)
  const unbounded = args.some((arg) => arg.endsWith('...'))
  const extra = positionals[args.length]
  if (!unbounded && extra !== undefined)
    throw new KeelsonError('INVALID_ARGUMENT', `unexpected argument ${extra}`)
}

/** Argument and option lines for `--help`. */
export function helpOf(
  program: string,
  { name, summary, args = [], options = {} }: Command<never, OptionSpecs>,
): string {
  const usage = args.map((arg) => (arg.endsWith('?') ? `[${arg.slice(0, -1)}]` : arg.toUpperCase())).join(' ')
  const rows = Object.entries(options).map(([long, { short, type, value = 'VALUE', help }]) => [
    `  ${short ? `-${short}, ` : '    '}--${long}${type === 'string' ? ` ${value}` : ''}`,
    help,
  ])
  return [`${program} ${name} [options] ${usage}`.trimEnd(), `  ${summary}`, '', ...columns(rows)].join('\n')
}

/** Left-aligned columns, two spaces between. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    })
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

type ParseOptions = Record<string, { type: 'boolean' | 'string'; short?: string; multiple?: boolean }>

function firstPositional(argv: readonly string[], options: ParseOptions): number {
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const found = tokens.find(({ kind }) => kind === 'positional' || kind === 'option-terminator')
  return found?.index ?? argv.length
}

function usageError(error: unknown): unknown {
  if (!(error instanceof TypeError) || !('code' in error) || !String(error.code).startsWith('ERR_PARSE_ARGS'))
    return error
  const message = error.message.replace(/\. To specify.*$/s, '')
  return new KeelsonError('INVALID_ARGUMENT', message.charAt(0).toLowerCase() + message.slice(1), {
    cause: error,
  })
}
