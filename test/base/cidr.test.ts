import { isIPv6 } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import {
  addressAt,
  addressToInteger,
  indexInCidr,
  integerToAddress,
  parseCidr,
} from '../../src/base/index.ts'

test('first address and size of a block', (t) => {
  t.is(addressAt(parseCidr('10.43.0.0/16'), 1), '10.43.0.1')
  t.is(addressAt(parseCidr('10.43.7.9/16'), 0), '10.43.0.0')
  t.is(parseCidr('10.43.0.0/16').size, 65_536n)
  t.is(addressAt(parseCidr('fd00:10::/108'), 1), 'fd00:10::1')
  t.is(indexInCidr(parseCidr('10.43.0.0/16'), '10.43.1.0'), 256n)
  t.is(indexInCidr(parseCidr('10.43.0.0/16'), '10.44.0.0'), undefined)
  t.is(indexInCidr(parseCidr('10.43.0.0/16'), 'None'), undefined)
})

test('what is no block is refused', (t) => {
  for (const text of ['', '10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', '10.0.0.0/-1']) {
    t.throws(() => parseCidr(text), { code: 'INVALID_ARGUMENT' }, text)
  }
})

test('addresses survive the way to an integer and back', (t) => {
  const integer = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
  fc.assert(fc.property(integer(32), (n) => addressToInteger(integerToAddress(n, 4)) === n))
  fc.assert(
    fc.property(integer(128), (n) => {
      const address = integerToAddress(n, 6)
      return isIPv6(address) && addressToInteger(address) === n
    }),
  )
  t.is(addressToInteger('::ffff:10.0.0.1'), addressToInteger('::ffff:a00:1'))
})
