import test from 'ava'
import fc from 'fast-check'
import { signalName, signalNumber } from '../../src/oci/signals.ts'

test('all the usual spellings', (t) => {
  for (const spelling of ['KILL', 'SIGKILL', 'kill', 'sigkill', '9', 9, ' 9 '])
    t.is(signalNumber(spelling), 9)
  t.is(signalNumber('RTMIN+3'), 37)
  t.is(signalNumber('SIGRTMAX'), 64)
  t.is(signalNumber('SIGRTMAX-1'), 63)
})

test('what is no signal is refused', (t) => {
  for (const wrong of ['', 'SIGFOO', '65', '-1', 'RTMIN+31', 'RTMAX+1', '9x', '1e1'])
    t.like(
      t.throws(() => signalNumber(wrong), undefined, wrong),
      { code: 'INVALID_ARGUMENT' },
    )
})

test('number → name → number', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (number) => {
      const name = signalName(number)
      t.is(name === undefined, number === 32 || number === 33)
      if (name !== undefined) t.is(signalNumber(name), number)
    }),
  )
})
