import type { Command, Options } from './command.ts'
import { commandHelp } from './help.ts'
import { nameArguments, type ParseSettings, parseOptions } from './parse.ts'

const helpOption = { help: { type: 'boolean', short: 'h', help: 'print this' } } as const satisfies Options

export interface Invocation<Context> extends ParseSettings {
  program: string
  command: Command<Context>
  /** What follows the command's name. */
  words: readonly string[]
  /** Made only when the command runs. */
  context: () => Context
  print: (text: string) => void
}

/** Reads the words and runs the command, or prints its help when that is asked for. Gives the exit code. */
export async function runCommand<Context>(invocation: Invocation<Context>): Promise<number> {
  const { program, command, words, context, print } = invocation
  const { given, rest } = parseOptions(words, { ...command.options, ...helpOption }, invocation)
  if (given['help']) {
    print(commandHelp(program, command as Command<never>))
    return 0
  }
  return (await command.run(context(), { ...given, ...nameArguments(rest, command.args) })) ?? 0
}
