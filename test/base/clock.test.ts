import test from 'ava'
import { systemClock } from '../../src/base/index.ts'

test('a year is no instant: timers longer than 24 days do not fire at once', async (t) => {
  const yearMs = 365 * 24 * 3600 * 1000
  const stop = new AbortController()
  let fired = false
  const cancel = systemClock.after(yearMs, () => {
    fired = true
  })
  const slept = systemClock.sleep(yearMs, stop.signal).then(
    () => 'slept',
    () => 'stopped',
  )
  await systemClock.sleep(20)
  t.false(fired)
  cancel()
  stop.abort()
  t.is(await slept, 'stopped')
})

test('a short timer fires, a cancelled one does not', async (t) => {
  const fired: string[] = []
  systemClock.after(1, () => fired.push('a'))
  systemClock.after(1, () => fired.push('b'))()
  await systemClock.sleep(20)
  t.deepEqual(fired, ['a'])
})
