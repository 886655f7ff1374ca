/**
 * docs/reference/oci-cli.md against the command tables. KEELSON_UPDATE=1 writes the part between its marks anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Command, Options } from '../../../src/cli/command.ts'
import { commands } from '../../../src/cli/oci/commands.ts'
import { globalOptions } from '../../../src/cli/oci/globals.ts'

const page = fileURLToPath(new URL('../../../docs/reference/oci-cli.md', import.meta.url))
const marks = [
  '<!-- from the command tables: begin -->\n',
  '<!-- from the command tables: end -->\n',
] as const

function usage({ name, args }: Command<never>): string {
  const words = args.map((one) => (/[?.]/.test(one) ? `[${one.replace('?', '')}]` : `<${one}>`))
  return ['keelson-oci', name, '[options]', ...words].join(' ')
}

function optionTable(options: Options): string[] {
  const rows = Object.entries(options).map(([name, { type, short, value = 'VALUE', help }]) => {
    const long = `--${name}${type === 'boolean' ? '' : ` ${value}`}`
    return `| \`${short === undefined ? '' : `-${short}, `}${long}\` | ${help} |`.replace(
      /(\w)\|(?=\w)/g,
      '$1\\|',
    )
  })
  return rows.length === 0 ? [] : ['', '| option | meaning |', '| --- | --- |', ...rows]
}

function section(command: Command<never>): string[] {
  const { name, summary, options } = command
  return [
    '',
    `### ${name}`,
    '',
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
    '',
    `    ${usage(command)}`,
    ...optionTable(options),
  ]
}

async function generated(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(async (load) => (await load()).default))
  return [
    '## Global options',
    ...optionTable(globalOptions),
    '',
    '## Commands',
    ...all.flatMap((command) => section(command as Command<never>)),
    '',
  ].join('\n')
}

test('the page has every command and option, as the tables have them', async (t) => {
  const text = readFileSync(page, 'utf8')
  const [before, rest = ''] = text.split(marks[0])
  const [body, after] = rest.split(marks[1])
  const expected = await generated()
  if (process.env['KEELSON_UPDATE'] === '1') {
    writeFileSync(page, `${before}${marks[0]}${expected}${marks[1]}${after ?? ''}`)
    t.pass()
    return
  }
  t.is(body, expected, 'run this test with KEELSON_UPDATE=1')
})

test('every option has a sentence, every short form is used once in its command', async (t) => {
  for (const load of Object.values(commands)) {
    const { name, options } = (await load()).default
    const shorts = Object.values(options).flatMap(({ short }) => (short === undefined ? [] : [short]))
    t.is(new Set(shorts).size, shorts.length, name)
    for (const [option, { help }] of Object.entries(options)) t.true(help.length > 3, `${name} --${option}`)
  }
})
