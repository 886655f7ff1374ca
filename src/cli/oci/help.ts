import type { Command, Options } from './command.ts'

export function commandHelp(program: string, { name, summary, args, options }: Command): string {
  const usage = args.map((one) => (/[?.]/.test(one) ? `[${one.replace(/[?]|\.\.\.$/, '')}]` : `<${one}>`))
  return lines(
    `${program} ${name}: ${summary}`,
    '',
    `usage: ${[program, name, '[options]', ...usage].join(' ')}`,
    ...optionLines(options),
  )
}

export function programHelp(program: string, globals: Options, commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return lines(
    `${program}: runs containers from OCI bundles`,
    '',
    `usage: ${program} [global options] <command> [options] [arguments]`,
    '',
    'commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    ...optionLines(globals),
  )
}

function optionLines(options: Options): string[] {
  const rows = Object.entries(options).map(([name, { type, short, value = 'VALUE', help }]) => {
    const left = `${short ? `-${short}, ` : '    '}--${name}${type === 'boolean' ? '' : ` ${value}`}`
    return [left, help] as const
  })
  if (rows.length === 0) return []
  const width = Math.max(...rows.map(([left]) => left.length))
  return ['', 'options:', ...rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`)]
}

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`
}
