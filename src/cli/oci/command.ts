import type { Clock, Logger } from '../../base/index.ts'
import type { Runtime } from '../../oci/index.ts'

/**
 * A command as data: what it is called, what it takes, what it does. The parser, the help and the completion read
 * the same table, and `run` gets arguments and options already typed by it.
 */
export interface Option {
  type: 'boolean' | 'string' | 'strings'
  short?: string
  /** What stands for the value in the help; default `VALUE`. */
  value?: string
  help: string
}
export type Options = Readonly<Record<string, Option>>

export interface Context {
  globals: Globals
  /** Opened at the first call: a command that needs no container never loads the addon. */
  runtime: () => Promise<Runtime>
  out: (text: string) => void
  log: Logger
  clock: Clock
}

export interface Globals {
  root: string
  debug: boolean
}

export interface Command {
  name: string
  summary: string
  args: readonly string[]
  options: Options
  /** Exit code when `run` fails; default 1. */
  failureCode?: number
  /** Gives the exit code; nothing means 0. */
  run: (context: Context, given: Given) => Promise<number | undefined>
}

export type Given = Readonly<Record<string, string | boolean | string[] | undefined>>

type OptionValue<Type> = Type extends 'boolean' ? boolean : Type extends 'strings' ? string[] : string
type OptionValues<Table extends Options> = { [Name in keyof Table]?: OptionValue<Table[Name]['type']> }

/** `container` must be given, `signal?` may be, `command...` takes the rest. */
type ArgumentValues<Names extends readonly string[]> = {
  [Name in Names[number] as Name extends `${infer Bare}?` | `${infer Bare}...`
    ? Bare
    : Name]: Name extends `${string}...` ? string[] : Name extends `${string}?` ? string | undefined : string
}

export interface CommandDefinition<Names extends readonly string[], Table extends Options> {
  name: string
  summary: string
  args: Names
  options: Table
  failureCode?: number
  run: (
    context: Context,
    given: ArgumentValues<Names> & OptionValues<Table>,
    // biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing
  ) => Promise<number | undefined | void>
}

export function command<const Names extends readonly string[], const Table extends Options>(
  definition: CommandDefinition<Names, Table>,
): Command {
  return {
    ...definition,
    run: async (context, given) =>
      (await definition.run(context, given as ArgumentValues<Names> & OptionValues<Table>)) ?? undefined,
  }
}
