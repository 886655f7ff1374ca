import test from 'ava'
import fc from 'fast-check'
import { wholeQuantity } from '../../src/base/quantity.ts'

test('quantities of Kubernetes are whole numbers, rounded up', (t) => {
  const read = (text: string) => wholeQuantity(text)
  t.deepEqual(
    ['1.5M', '2e6', '100000000m', '.5G', '+3Ki', '1n', '0'].map(read),
    [1_500_000, 2_000_000, 100_000, 500_000_000, 3072, 1, 0],
  )
  for (const wrong of ['', '-1M', '10 M', '10MB', 'M', '1e', '0x10', 'Infinity', 'NaN'])
    t.is(read(wrong), undefined, wrong)
})

test('a whole number with a binary suffix is what it says', (t) => {
  fc.assert(
    fc.property(fc.nat(2 ** 20), fc.constantFrom('', 'Ki', 'Mi', 'Gi'), (count, suffix) => {
      t.is(wholeQuantity(`${count}${suffix}`), count * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(suffix))
    }),
  )
})
