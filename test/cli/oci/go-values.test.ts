import test from 'ava'
import { durationMs, sizeBytes, wholeNumber } from '../../../src/cli/oci/go-values.ts'

test('durations as time.ParseDuration reads them', (t) => {
  t.is(durationMs('5s', 'interval'), 5000)
  t.is(durationMs('1m30.5s', 'interval'), 90_500)
  t.is(durationMs('250ms', 'interval'), 250)
  for (const text of ['', '5', '5x', 's', '-1s', '5s5'])
    t.throws(() => durationMs(text, 'interval'), undefined, text)
})

test('sizes as units.RAMInBytes reads them', (t) => {
  t.is(sizeBytes('1024', 'memory'), 1024)
  t.is(sizeBytes('512m', 'memory'), 512 << 20)
  t.is(sizeBytes('1.5G', 'memory'), 1.5 * 2 ** 30)
  t.is(sizeBytes('64 KiB', 'memory'), 65536)
  t.is(sizeBytes('-1', 'memory'), -1)
  for (const text of ['', 'm', '-5', '1x', '1mm']) t.throws(() => sizeBytes(text, 'memory'), undefined, text)
})

test('whole numbers and nothing else', (t) => {
  t.is(wholeNumber('-1', 'cpu-quota'), -1)
  for (const text of ['', '1.5', '0x10', '1e3', '9007199254740993'])
    t.throws(() => wholeNumber(text, 'cpu-quota'), { message: /^--cpu-quota: / }, text)
})
