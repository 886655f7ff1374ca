import test from 'ava'
import fc from 'fast-check'
import { Backoff } from '../../src/kubelet/backoff.ts'

test('the first retry is free, then 10 s doubling to 300 s', (t) => {
  const backoff = new Backoff()
  let now = 0
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    waits.push(backoff.remainingMs('a', now, now))
    now += waits.at(-1) ?? 0
    backoff.next('a', now, now)
  }
  t.deepEqual(waits, [0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
})

test('a container that ran for more than 10 minutes starts over', (t) => {
  const backoff = new Backoff()
  backoff.next('a', 0, 0)
  backoff.next('a', 10_000, 10_000)
  t.is(backoff.remainingMs('a', 600_000, 600_000), 20_000)
  t.is(backoff.remainingMs('a', 610_001, 610_001), 0)
  backoff.next('a', 610_001, 610_001)
  t.is(backoff.delayMs('a'), 10_000)
})

test('keys do not touch each other, and are forgotten by prefix', (t) => {
  const backoff = new Backoff()
  backoff.next('u1/a', 0, 0)
  backoff.next('u2/a', 0, 0)
  backoff.forget('u1/')
  t.is(backoff.remainingMs('u1/a', 0, 0), 0)
  t.is(backoff.remainingMs('u2/a', 0, 0), 10_000)
})

test('property: the wait never exceeds the maximum nor the delay, and shrinks as time passes', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(700_000), { minLength: 1, maxLength: 30 }),
      fc.nat(400_000),
      (steps, later) => {
        const backoff = new Backoff()
        let now = 0
        for (const step of steps) {
          now += step
          backoff.next('k', now, now)
        }
        const wait = backoff.remainingMs('k', now, now)
        return (
          wait <= 300_000 &&
          wait === backoff.delayMs('k') &&
          backoff.remainingMs('k', now, now + later) === Math.max(0, wait - later)
        )
      },
    ),
  )
  t.pass()
})
