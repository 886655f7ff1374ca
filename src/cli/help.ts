import type { Command, Options } from './command.ts'

export function commandHelp(program: string, { name, summary, args, options }: Command<never>): string {
  const usage = args.map((one) => (/[?.]/.test(one) ? `[${one.replace(/[?]|\.\.\.$/, '')}]` : `<${one}>`))
  return lines(
    `${program} ${name}: ${summary}`,
    '',
    `usage: ${[program, name, '[options]', ...usage].join(' ')}`,
    ...optionLines(options),
  )
}

export interface ProgramHelp {
  program: string
  summary: string
  commands: readonly { name: string; summary: string }[]
  /** Options before the command's name. */
  globals?: Options
}

export function programHelp({ program, summary, commands, globals = {} }: ProgramHelp): string {
  const globalUsage = Object.keys(globals).length > 0 ? ' [global options]' : ''
  return lines(
    `${program}: ${summary}`,
    '',
    `usage: ${program}${globalUsage} <command> [options] [arguments]`,
    '',
    'commands:',
    ...columns(commands.map((command) => [`  ${command.name}`, command.summary])),
    ...optionLines(globals),
  )
}

function optionLines(options: Options): string[] {
  const rows = Object.entries(options).map(([name, { type, short, value = 'VALUE', help }]) => [
    `  ${short ? `-${short}, ` : '    '}--${name}${type === 'boolean' ? '' : ` ${value}`}`,
    help,
  ])
  return rows.length === 0 ? [] : ['', 'options:', ...columns(rows)]
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

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`
}
