import test from 'ava'
import { checkArguments, columns, command, helpOf, parseOptions } from '../../src/cli/command.ts'

const options = {
  detach: { type: 'boolean', short: 'd', help: 'return at once' },
  port: { type: 'string', value: 'PORT', help: 'where to listen' },
  env: { type: 'string', short: 'e', multiple: true, help: 'a variable' },
} as const

test('options anywhere, positionals in order', (t) => {
  const parsed = parseOptions(['a', '-d', '--port', '80', 'b', '-e', 'X=1', '-eY=2'], options)
  t.deepEqual({ ...parsed.options }, { detach: true, port: '80', env: ['X=1', 'Y=2'] })
  t.deepEqual(parsed.positionals, ['a', 'b'])
})

test('stopping at the first positional leaves the rest to somebody else', (t) => {
  const stop = { stopAtPositional: true }
  t.deepEqual(parseOptions(['-d', 'box', 'ls', '-d', '--all'], options, stop).positionals, [
    'box',
    'ls',
    '-d',
    '--all',
  ])
  t.deepEqual(parseOptions(['--port', '80', '--', '-x'], options, stop).positionals, ['-x'])
  t.deepEqual(
    parseOptions(['-e', 'value', 'box'], options, stop).positionals,
    ['box'],
    'a value is no positional',
  )
})

test('mistakes are named in one line', (t) => {
  const unknown = t.throws(() => parseOptions(['--prot', '80'], options), { code: 'INVALID_ARGUMENT' })
  t.is(unknown?.message, "unknown option '--prot'")
  t.throws(() => parseOptions(['--port'], options), { code: 'INVALID_ARGUMENT', message: /--port/ })
  t.throws(() => checkArguments(['container', 'signal?'], []), { message: 'argument container is missing' })
  t.throws(() => checkArguments(['container', 'signal?'], ['a', 'b', 'c']), {
    message: 'unexpected argument c',
  })
  t.notThrows(() => checkArguments(['container', 'command...'], ['a', 'b', 'c']))
})

test('help shows arguments, options and their values', (t) => {
  const kill = command({
    name: 'kill',
    summary: 'send a signal',
    args: ['container', 'signal?'],
    options,
    run: async () => 0,
  })
  t.is(
    helpOf('keelson', kill),
    [
      'keelson kill [options] CONTAINER [signal]',
      '  send a signal',
      '',
      '  -d, --detach     return at once',
      '      --port PORT  where to listen',
      '  -e, --env VALUE  a variable',
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
