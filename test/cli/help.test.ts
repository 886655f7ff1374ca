import test from 'ava'
import { commandsWith } from '../../src/cli/command.ts'
import { columns, commandHelp, programHelp } from '../../src/cli/help.ts'

const kill = commandsWith<void>()({
  name: 'kill',
  summary: 'send a signal',
  args: ['container', 'signal?'],
  options: {
    all: { type: 'boolean', short: 'a', help: 'to every process' },
    port: { type: 'string', value: 'PORT', help: 'where to listen' },
  },
  run: async () => 0,
})

test('help of a command shows arguments, options and their values', (t) => {
  t.is(
    commandHelp('keelson', kill),
    [
      'keelson kill: send a signal',
      '',
      'usage: keelson kill [options] <container> [signal]',
      '',
      'options:',
      '  -a, --all        to every process',
      '      --port PORT  where to listen',
      '',
    ].join('\n'),
  )
})

test('help of a program lists its commands', (t) => {
  t.is(
    programHelp({ program: 'keelson', summary: 'all of it', commands: [kill, { name: 'x', summary: 'y' }] }),
    [
      'keelson: all of it',
      '',
      'usage: keelson <command> [options] [arguments]',
      '',
      'commands:',
      '  kill  send a signal',
      '  x     y',
      '',
    ].join('\n'),
  )
})

test('columns line up and carry no trailing blanks', (t) => {
  t.deepEqual(
    columns([
      ['a', 'bb', ''],
      ['ccc', 'd', 'e'],
    ]),
    ['a    bb', 'ccc  d   e'],
  )
})
