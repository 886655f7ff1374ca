import test from 'ava'
import fc from 'fast-check'
import { formatReference, parseReference, repositoryName } from '../../src/image/index.ts'

const digest = `sha256:${'ab'.repeat(32)}`
const forms: [text: string, full: string][] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.7.9', 'docker.io/library/nginx:1.7.9'],
  ['library/nginx', 'docker.io/library/nginx:latest'],
  ['docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['team/app:v1', 'docker.io/team/app:v1'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['127.0.0.1:5000/a/b/c:x', '127.0.0.1:5000/a/b/c:x'],
  ['[::1]:5000/a', '[::1]:5000/a:latest'],
  ['registry.k8s.io/pause:3.9', 'registry.k8s.io/pause:3.9'],
  ['HOST/app', 'HOST/app:latest'],
  ['a__b--c_e/f.g', 'docker.io/a__b--c_e/f.g:latest'],
  [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
  [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`],
]
for (const [text, full] of forms)
  test(`${text} is ${full}`, (t) => {
    t.is(formatReference(parseReference(text)), full)
  })

for (const bad of [
  '',
  ':tag',
  'nginx:',
  'Nginx',
  'a//b',
  '/a',
  'a/',
  'a:b:c',
  'a b',
  'nginx@',
  'nginx@sha256:abc',
  `nginx@md5:${'a'.repeat(32)}`,
  `nginx@${digest}@${digest}`,
  '-a',
  'a..b',
  'a___b',
  'host:port/a',
  'https://host/a',
  '../../etc/passwd',
  `a/${'b'.repeat(300)}`,
  `a:${'t'.repeat(129)}`,
  'a\n',
  'a\0b',
])
  test(`refused: ${JSON.stringify(bad.slice(0, 40))}`, (t) => {
    t.throws(() => parseReference(bad), { code: 'INVALID_ARGUMENT' })
  })

const part = fc.stringMatching(/^[a-z0-9]+([._-][a-z0-9]+)?$/).filter((text) => text.length < 20)
const host = fc.oneof(
  fc.constantFrom('docker.io', 'localhost', 'localhost:5000', '10.0.0.1:80', '[::1]:1', 'Reg.example'),
  fc.tuple(part, fc.nat(65535)).map(([name, port]) => `${name.replaceAll('_', '-')}.example:${port}`),
)
const reference = fc
  .record(
    {
      host,
      repository: fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/')),
      tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,30}$/),
      digest: fc.stringMatching(/^[a-f0-9]{64}$/).map((hex) => `sha256:${hex}`),
    },
    { requiredKeys: ['host', 'repository'] },
  )
  .filter(({ tag, digest: value }) => tag !== undefined || value !== undefined)

test('a full name is read as it was written', (t) => {
  fc.assert(
    fc.property(reference, (one) => {
      t.deepEqual(parseReference(formatReference(one)), one)
      t.true(formatReference(one).startsWith(repositoryName(one)))
    }),
  )
})

test('any text is either refused or has one full form', (t) => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'B', '0', '.', '-', '_', '/', ':', '@', ' ', 'é'),
    maxLength: 12,
  })
  fc.assert(
    fc.property(text, (one) => {
      try {
        const full = formatReference(parseReference(one))
        t.is(formatReference(parseReference(full)), full)
      } catch (error) {
        t.is((error as { code?: string }).code, 'INVALID_ARGUMENT', one)
      }
    }),
    { numRuns: 2000 },
  )
})
