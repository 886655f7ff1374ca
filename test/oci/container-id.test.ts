import test from 'ava'
import { validateContainerId } from '../../src/oci/container-id.ts'

test('container ids', (t) => {
  for (const id of ['a', 'A-1_b.c+d', '...', 'x'.repeat(1024)]) t.is(validateContainerId(id), id)
  for (const id of [
    '',
    '.',
    '..',
    '/',
    'a/b',
    '../x',
    'a b',
    'a\n',
    'a\0',
    '\u001b[2J',
    'ä',
    'x'.repeat(1025),
  ])
    t.like(
      t.throws(() => validateContainerId(id), undefined, id),
      { code: 'INVALID_ARGUMENT' },
    )
})

test('a long one is told in short', (t) => {
  const error = t.throws(() => validateContainerId('/'.repeat(5000)))
  t.true((error?.message.length ?? 0) < 200)
  t.regex(error?.message ?? '', /5000 characters/)
})
