/** Pages of docs/reference whose middle is written from the command tables. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import type { Command, Options } from '../../src/cli/command.ts'

const marks = [
  '<!-- from the command tables: begin -->\n',
  '<!-- from the command tables: end -->\n',
] as const

/** What stands between the page's marks against what should; KEELSON_UPDATE=1 writes it anew. */
export function comparePage(t: ExecutionContext, page: string, expected: string): void {
  const text = readFileSync(page, 'utf8')
  const [before, rest = ''] = text.split(marks[0])
  const [body, after] = rest.split(marks[1])
  if (process.env['KEELSON_UPDATE'] === '1') {
    writeFileSync(page, `${before}${marks[0]}${expected}${marks[1]}${after ?? ''}`)
    t.pass()
    return
  }
  t.is(body, expected, 'run this test with KEELSON_UPDATE=1')
}

function usage(program: string, { name, args }: Command<never>): string {
  const words = args.map((one) => (/[?.]/.test(one) ? `[${one.replace('?', '')}]` : `<${one}>`))
  return [program, name, '[options]', ...words].join(' ')
}

export function optionTable(options: Options): string[] {
  const rows = Object.entries(options).map(([name, { type, short, value = 'VALUE', help }]) => {
    const long = `--${name}${type === 'boolean' ? '' : ` ${value}`}`
    return `| \`${short === undefined ? '' : `-${short}, `}${long}\` | ${help} |`.replace(
      /(\w)\|(?=\w)/g,
      '$1\\|',
    )
  })
  return rows.length === 0 ? [] : ['', '| option | meaning |', '| --- | --- |', ...rows]
}

/** One command of a page: what it is for, how it is written, its options. */
export function commandSection(program: string, command: Command<never>): string[] {
  const { name, summary, options } = command
  return [
    '',
    `### ${name}`,
    '',
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
    '',
    `    ${usage(program, command)}`,
    ...optionTable(options),
  ]
}
