/**
 * docs/reference/oci-cli.md against the command tables. KEELSON_UPDATE=1 writes the part between its marks anew.
 */
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Command } from '../../../src/cli/command.ts'
import { commands } from '../../../src/cli/oci/commands.ts'
import { globalOptions } from '../../../src/cli/oci/globals.ts'
import { commandSection, comparePage, optionTable } from '../../support/command-page.ts'

const page = fileURLToPath(new URL('../../../docs/reference/oci-cli.md', import.meta.url))
async function generated(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(async (load) => (await load()).default))
  return [
    '## Global options',
    ...optionTable(globalOptions),
    '',
    '## Commands',
    ...all.flatMap((command) => commandSection('keelson-oci', command as Command<never>)),
    '',
  ].join('\n')
}

test('the page has every command and option, as the tables have them', async (t) => {
  comparePage(t, page, await generated())
})

test('every option has a sentence, every short form is used once in its command', async (t) => {
  for (const load of Object.values(commands)) {
    const { name, options } = (await load()).default
    const shorts = Object.values(options).flatMap(({ short }) => (short === undefined ? [] : [short]))
    t.is(new Set(shorts).size, shorts.length, name)
    for (const [option, { help }] of Object.entries(options)) t.true(help.length > 3, `${name} --${option}`)
  }
})
