/** docs/reference/image-cli.md against the command tables. KEELSON_UPDATE=1 writes the part between its marks anew. */
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Command } from '../../../src/cli/command.ts'
import { imageCommands } from '../../../src/cli/image/commands.ts'
import { commandSection, comparePage } from '../../support/command-page.ts'

const page = fileURLToPath(new URL('../../../docs/reference/image-cli.md', import.meta.url))

test('the page has every command and option, as the tables have them', async (t) => {
  const all = await Promise.all(Object.values(imageCommands).map(async ({ load }) => (await load()).default))
  const sections = all.flatMap((command) => commandSection('keelson image', command as Command<never>))
  comparePage(t, page, ['## Commands', ...sections, ''].join('\n'))
})

test('each command is called as it calls itself, and begins with what the list says of it', async (t) => {
  for (const [name, { summary, load }] of Object.entries(imageCommands)) {
    const { default: command } = await load()
    t.is(command.name, name)
    t.true(command.summary.startsWith(summary.split(':')[0] ?? ''), name)
  }
})
