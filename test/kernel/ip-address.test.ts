import { isIPv6 } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { formatAddress, parseAddress } from '../../src/kernel/index.ts'

test('every address comes back from its text', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
      .map((list) => Uint8Array.from(list)),
  )
  fc.assert(
    fc.property(bytes, (address) => {
      const text = formatAddress(address)
      t.deepEqual([...parseAddress(text)], [...address])
      if (address.length === 16) t.true(isIPv6(text))
    }),
  )
})

test('the usual spellings of IPv6', (t) => {
  t.is(formatAddress(parseAddress('::')), '::')
  t.is(formatAddress(parseAddress('fd00:0:0:1:0:0:0:1')), 'fd00:0:0:1::1')
  t.is(formatAddress(parseAddress('2001:DB8::0a')), '2001:db8::a')
  t.is(formatAddress(parseAddress('::ffff:10.1.2.3')), '::ffff:a01:203')
})

test('what is no address is refused', (t) => {
  for (const text of ['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', 'web'])
    t.throws(() => parseAddress(text), { code: 'INVALID_ARGUMENT' }, text)
  t.throws(() => formatAddress(Buffer.alloc(5)), { code: 'DATA_LOSS' })
})
