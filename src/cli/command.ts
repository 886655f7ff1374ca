/**
 * A command as data: what it is called, what it takes, what it does. The parser and the help read the same table, and
 * `run` gets arguments and options already typed by it. `keelson` and `keelson-oci` are both lists of these.
 */
export interface Option {
  /** `strings` may be repeated and collects every value. */
  type: 'boolean' | 'string' | 'strings'
  /** One letter. */
  short?: string
  /** What stands for the value in the help; default `VALUE`. */
  value?: string
  help: string
}
export type Options = Readonly<Record<string, Option>>

export type Given = Readonly<Record<string, string | boolean | string[] | undefined>>

export interface Command<Context> {
  name: string
  summary: string
  args: readonly string[]
  options: Options
  /** Exit code when `run` fails, where the program's own is not right. */
  failureCode?: number
  /** Gives the exit code; nothing means 0. */
  run: (context: Context, given: Given) => Promise<number | undefined>
}

type OptionValue<Type> = Type extends 'boolean' ? boolean : Type extends 'strings' ? string[] : string
export type OptionValues<Table extends Options> = { [Name in keyof Table]?: OptionValue<Table[Name]['type']> }

/** `container` must be given, `signal?` may be, `command...` takes the rest. */
type ArgumentValues<Names extends readonly string[]> = {
  [Name in Names[number] as Name extends `${infer Bare}?` | `${infer Bare}...`
    ? Bare
    : Name]: Name extends `${string}...` ? string[] : Name extends `${string}?` ? string | undefined : string
}

export interface CommandDefinition<Context, Names extends readonly string[], Table extends Options> {
  name: string
  summary: string
  args?: Names
  options?: Table
  failureCode?: number
  run: (
    context: Context,
    given: ArgumentValues<Names> & OptionValues<Table>,
    // biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing
  ) => Promise<number | undefined | void>
}

/** `command` for the commands of one program: each gets that program's context. */
export function commandsWith<Context>() {
  return <const Names extends readonly string[] = [], const Table extends Options = Record<never, never>>({
    args,
    options,
    run,
    ...rest
  }: CommandDefinition<Context, Names, Table>): Command<Context> => ({
    ...rest,
    args: args ?? [],
    options: options ?? {},
    run: async (context, given) =>
      (await run(context, given as ArgumentValues<Names> & OptionValues<Table>)) ?? undefined,
  })
}
