import test from 'ava'
import fc from 'fast-check'
import { parseToml, type TomlTable, type TomlValue } from '../../src/cli/toml.ts'

/** Maps as objects, for comparing. */
function plain(value: TomlValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]))
  return Array.isArray(value) ? value.map(plain) : value
}

const read = (text: string) => plain(parseToml(text))

test('a file as containerd has it', (t) => {
  const text = `
server = "https://registry-1.docker.io" # the registry itself

[host."https://mirror.example:5000"]
  capabilities = ["pull", 'resolve',
    # and a comment
  ]
  skip_verify = true
  [host."https://mirror.example:5000".header]
    x-custom = ["one", "two"]
[host.'http://127.0.0.1']
client = [["a.pem", "b.pem"],]
`
  t.deepEqual(read(text), {
    server: 'https://registry-1.docker.io',
    host: {
      'https://mirror.example:5000': {
        capabilities: ['pull', 'resolve'],
        skip_verify: true,
        header: { 'x-custom': ['one', 'two'] },
      },
      'http://127.0.0.1': { client: [['a.pem', 'b.pem']] },
    },
  })
})

test('keys, texts, numbers, lists of tables', (t) => {
  t.deepEqual(read('a.b."c d" = 1\na.e = { f = 2, g.h = [ { i = 3 } ] }'), {
    a: { b: { 'c d': 1 }, e: { f: 2, g: { h: [{ i: 3 }] } } },
  })
  t.deepEqual(
    read('a = "\\u00e9\\t\\"\\\\"\nb = \'\\n\'\nc = """\n x \\\n   y""""\nd = \'\'\'\n1\n2\'\'\'\r\n'),
    {
      a: 'é\t"\\',
      b: '\\n',
      c: ' x y"',
      d: '1\n2',
    },
  )
  t.deepEqual(read('a = 1_000\nb = -0x1F\nc = 6.5e-1\nd = +inf\ne = 0b101\nf = 0o17'), {
    a: 1000,
    b: -31,
    c: 0.65,
    d: Number.POSITIVE_INFINITY,
    e: 5,
    f: 15,
  })
  t.deepEqual(read('[[a]]\nb = 1\n[a.c]\nd = 2\n[[a]]\nb = 3'), { a: [{ b: 1, c: { d: 2 } }, { b: 3 }] })
  t.deepEqual(read('[a.b]\nc = 1\n[a]\nd = 2'), { a: { b: { c: 1 }, d: 2 } })
  t.deepEqual(read(''), {})
  t.is(parseToml('__proto__ = 1').get('__proto__'), 1)
})

const refused: [text: string, message: RegExp][] = [
  ['a = 1\n\na = 2', /^line 3: a is there twice/],
  ['[a]\n[a]', /^line 2: the table a is there twice/],
  ['a = {b = 1}\na.c = 2', /^line 2: a is no table that could grow/],
  ['a = [1]\n[[a]]', /a is no list of tables/],
  ['a = [{}]\n[a.b]', /no table/],
  ['a = 1\n[a.b]', /no table/],
  ['a', /= is expected/],
  ['a = ', /a value is expected/],
  ['= 1', /a key is expected/],
  ['a = 1 b = 2', /a line break is expected/],
  ['a = "x', /no end/],
  ['a = "x\ny"', /no end in its line/],
  ['a = """x', /no end/],
  ['a = "\\q"', /\\q means nothing/],
  ['a = "\\uZZZZ"', /means nothing/],
  ['a = [1 2]', /, is expected/],
  ['a = [1', /, is expected/],
  ['a = {b = 1', /, is expected/],
  ['[a', /\] is expected/],
  ['a = 1979-05-27', /dates/],
  ['a = 07:32:00', /dates/],
]
for (const [text, message] of refused)
  test(`refused: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseToml(text), { code: 'INVALID_ARGUMENT', message })
  })

test('what is written is read, whatever the keys and texts', (t) => {
  const { value } = fc.letrec<{ value: TomlValue; table: TomlTable }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('table'),
    ),
    table: fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  }))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), value), { maxLength: 5 }), (pairs) => {
      const table: TomlTable = new Map(pairs)
      t.deepEqual(
        parseToml([...table].map(([key, one]) => `${quoted(key)} = ${written(one)}\n`).join('')),
        table,
      )
    }),
  )
})

test('no text at all makes it fail but as it should', (t) => {
  const words = fc.constantFrom(
    'a',
    '.',
    '=',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '\n',
    ',',
    '1',
    ' ',
    '#',
    '\\',
    '"""',
    '[[',
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
      try {
        parseToml(parts.join(''))
      } catch (error) {
        t.like(error, { code: 'INVALID_ARGUMENT' })
      }
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

function written(value: TomlValue): string {
  if (value instanceof Map)
    return `{ ${[...value].map(([key, one]) => `${quoted(key)} = ${written(one)}`).join(', ')} }`
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value === 'string') return quoted(value)
  return Object.is(value, -0) ? '-0' : String(value)
}

const quoted = (text: string) =>
  `"${[...text].map((letter) => (/[\p{L}\p{N} ]/u.test(letter) ? letter : `\\U${(letter.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`)).join('')}"`
