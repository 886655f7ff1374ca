import test from 'ava'
import fc from 'fast-check'
import { burstBits, podBandwidth } from '../../src/network/bandwidth.ts'

const ingress = (text: string) => podBandwidth({ 'kubernetes.io/ingress-bandwidth': text }).ingressBits

test('annotations of a pod are quantities in bits per second', (t) => {
  t.deepEqual(podBandwidth({}), {})
  t.deepEqual(
    podBandwidth({
      'kubernetes.io/ingress-bandwidth': '10M',
      'kubernetes.io/egress-bandwidth': '1Gi',
      other: 'x',
    }),
    { ingressBits: 10_000_000, egressBits: 2 ** 30 },
  )
  const written = ['1k', '1.5M', '2e6', '100000000m', '.5G', '+3Ki']
  t.deepEqual(written.map(ingress), [1000, 1_500_000, 2_000_000, 100_000, 500_000_000, 3072])
})

for (const text of ['', '10', '999', '2P', '-1M', '10 M', '10MB', 'M', '1e', '0x10', 'Infinity'])
  test(`no bandwidth: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => ingress(text), {
      code: 'INVALID_ARGUMENT',
      message: /^annotation kubernetes\.io\/ingress-bandwidth: /,
    })
  })

test('a burst holds one large packet, is a tenth of a second, and fits the kernel', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 1e15 }), (bits) => {
      const burst = burstBits(bits)
      t.true(Number.isInteger(burst) && burst >= 8 * 65_536 && burst < 2 ** 31)
    }),
  )
  t.is(burstBits(100_000_000), 10_000_000)
})
