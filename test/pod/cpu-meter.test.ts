import test from 'ava'
import fc from 'fast-check'
import { CpuMeter } from '../../src/pod/cpu-meter.ts'

const second = 1_000_000_000n

test('the first rate is since it began, later ones since the last window', (t) => {
  const meter = new CpuMeter(500)
  t.is(meter.rate('a', { atNs: 12n * second, usedNs: second }, 10n * second), second / 2n)
  t.is(meter.rate('a', { atNs: 13n * second, usedNs: 3n * second }, 10n * second), 2n * second)
  t.is(
    meter.rate('a', { atNs: 13n * second + 1n, usedNs: 9n * second }, 0n),
    2n * second,
    'within the window',
  )
  t.is(meter.rate('a', { atNs: 14n * second, usedNs: 3n * second }, 0n), 0n, 'idle since')
})

test('a clock set back keeps the last rate and begins a new window', (t) => {
  const meter = new CpuMeter(500)
  meter.rate('a', { atNs: 10n * second, usedNs: second }, 9n * second)
  t.is(meter.rate('a', { atNs: 5n * second, usedNs: 2n * second }, 9n * second), second)
  t.is(meter.rate('a', { atNs: 6n * second, usedNs: 2n * second + 5n }, 9n * second), 5n)
  meter.forget('a')
  t.is(meter.rate('a', { atNs: second, usedNs: 7n }, second), 0n, 'nothing is known of it any more')
})

test('a rate is never negative and never more than was used over the shortest window', (t) => {
  const reading = fc.record({ atNs: fc.bigInt(0n, 10n * second), usedNs: fc.bigInt(0n, 10n * second) })
  fc.assert(
    fc.property(fc.array(reading), (readings) => {
      const meter = new CpuMeter(500)
      for (const one of readings) t.true(meter.rate('a', one, 0n) >= 0n)
    }),
  )
})
