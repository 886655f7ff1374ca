import test from 'ava'
import fc from 'fast-check'
import { nameArguments, parseOptions } from '../../src/cli/parse.ts'

const options = {
  bundle: { type: 'string', short: 'b', help: '' },
  detach: { type: 'boolean', short: 'd', help: '' },
  env: { type: 'strings', short: 'e', help: '' },
} as const

test('every spelling of runc’s callers', (t) => {
  for (const words of [['--bundle', '/b'], ['--bundle=/b'], ['-b', '/b'], ['-b=/b'], ['-bundle', '/b']])
    t.deepEqual(parseOptions([...words, 'id'], options), { given: { bundle: '/b' }, rest: ['id'] })
  t.deepEqual(parseOptions(['-d', '-e', 'A=b', '--env=C=d=e'], options).given, {
    detach: true,
    env: ['A=b', 'C=d=e'],
  })
  t.deepEqual(parseOptions(['--detach=false'], options).given, { detach: false })
})

test('options end at the first argument, or at --', (t) => {
  t.deepEqual(parseOptions(['id', '-d'], options), { given: {}, rest: ['id', '-d'] })
  t.deepEqual(parseOptions(['-d', '--', '-d'], options), { given: { detach: true }, rest: ['-d'] })
  t.deepEqual(parseOptions(['-'], options).rest, ['-'])
})

test('interleaved: options also after arguments, and -- still ends them', (t) => {
  const interleaved = { interleaved: true }
  t.deepEqual(parseOptions(['a', '-d', 'b', '--bundle', '/b', 'c'], options, interleaved), {
    given: { detach: true, bundle: '/b' },
    rest: ['a', 'b', 'c'],
  })
  t.deepEqual(parseOptions(['a', '--', '-d'], options, interleaved).rest, ['a', '-d'])
})

test('what is wrong is named', (t) => {
  t.throws(() => parseOptions(['--frob'], options), { message: /--frob/ })
  t.throws(() => parseOptions(['--bundle'], options), { message: /--bundle needs a value/ })
  t.throws(() => parseOptions(['--detach=maybe'], options), { message: /maybe/ })
  t.throws(() => nameArguments([], ['container']), { message: /<container> is missing/ })
  t.throws(() => nameArguments(['a', 'b'], ['container']), { message: /"b" is one argument too many/ })
})

test('arguments by name', (t) => {
  t.deepEqual(nameArguments(['c'], ['container', 'signal?']), { container: 'c', signal: undefined })
  t.deepEqual(nameArguments(['c', 'sh', '-c'], ['container', 'command...']), {
    container: 'c',
    command: ['sh', '-c'],
  })
})

test('whatever is given as a value arrives as it is', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string({ unit: 'grapheme' })), (value, rest) => {
      const parsed = parseOptions(['--bundle', value, `--env=${value}`, '--', ...rest], options)
      t.deepEqual(parsed, { given: { bundle: value, env: [value] }, rest })
    }),
  )
})
