import test from 'ava'
import fc from 'fast-check'
import { AddressPool } from '../../src/network/address-pool.ts'

type Step = { take: true } | { release: number } | { restart: true }

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step>({ take: true }) },
    { weight: 2, arbitrary: fc.nat(20).map((release): Step => ({ release })) },
    { weight: 1, arbitrary: fc.constant<Step>({ restart: true }) },
  ),
  { maxLength: 80 },
)

test('no address is held twice, also over restarts, and every free one can be had', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 27, max: 30 }), steps, (prefix, sequence) => {
      const cidr = `10.42.7.0/${prefix}`
      const size = 2 ** (32 - prefix) - 3
      let pool = new AddressPool(cidr)
      let last: string | undefined
      const held: string[] = []
      for (const step of sequence) {
        if ('restart' in step) {
          pool = new AddressPool(cidr)
          for (const address of held) pool.claim(address)
          if (last) pool.continueAfter(last)
        } else if ('release' in step) {
          const [address] = held.splice(step.release % Math.max(1, held.length), 1)
          if (address) pool.release(address)
        } else if (held.length === size) {
          t.throws(() => pool.take(), { code: 'RESOURCE_EXHAUSTED' })
        } else {
          const address = pool.take()
          t.false(held.includes(address))
          const host = Number(address.split('.')[3])
          t.true(address.startsWith('10.42.7.') && host >= 2 && host <= size + 1, address)
          held.push(address)
          last = address
        }
      }
    }),
    { numRuns: 100 },
  )
})

test('a released address comes back last', (t) => {
  const pool = new AddressPool('10.42.0.0/29')
  t.is(pool.gateway, '10.42.0.1')
  t.is(pool.take(), '10.42.0.2')
  pool.release('10.42.0.2')
  t.deepEqual(
    [1, 2, 3, 4, 5].map(() => pool.take()),
    ['10.42.0.3', '10.42.0.4', '10.42.0.5', '10.42.0.6', '10.42.0.2'],
  )
})

test('a range without room for a pod is refused', (t) => {
  for (const cidr of ['10.42.0.0/31', '10.42.0.0/32', 'fd00::/127', '10.42.0.0'])
    t.throws(() => new AddressPool(cidr), { code: 'INVALID_ARGUMENT' }, cidr)
})

test('an IPv6 range: the first is the node’s, then one after the other, also of a range without end', (t) => {
  const pool = new AddressPool('fd00:42::/64')
  t.is(pool.gateway, 'fd00:42::1')
  t.deepEqual([pool.take(), pool.take()], ['fd00:42::2', 'fd00:42::3'])
  pool.continueAfter('fd00:42::ff')
  t.is(pool.take(), 'fd00:42::100')
  const small = new AddressPool('fd00::/126')
  t.is(small.take(), 'fd00::2')
  t.throws(() => small.take(), { code: 'RESOURCE_EXHAUSTED' })
})
