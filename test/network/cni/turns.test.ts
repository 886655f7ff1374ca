import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { Turns } from '../../../src/network/cni/turns.ts'

test('of one key one at a time, of different keys side by side', async (t) => {
  const turns = new Turns()
  const log: string[] = []
  const work = (name: string) => async () => {
    log.push(`+${name}`)
    await setImmediate()
    log.push(`-${name}`)
  }
  await Promise.all([turns.run('a', work('a1')), turns.run('a', work('a2')), turns.run('b', work('b1'))])
  t.deepEqual(log.slice(0, 2), ['+a1', '+b1'])
  t.true(log.indexOf('-a1') < log.indexOf('+a2'))
  t.is(log.length, 6)
})

test('a failure is its own, and the next has its turn', async (t) => {
  const turns = new Turns()
  const failing = turns.run('a', () => Promise.reject(new Error('no')))
  const next = turns.run('a', async () => 1)
  await t.throwsAsync(failing, { message: 'no' })
  t.is(await next, 1)
  await t.throwsAsync(turns.alone(() => Promise.reject(new Error('no'))))
  t.is(await turns.run('a', async () => 2), 2)
})

test('whatever comes in whatever order: who is alone has nobody beside, no key is in two hands, all end', async (t) => {
  const steps = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.constant('alone')), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(steps, fc.scheduler(), async (names, scheduler) => {
      const turns = new Turns()
      const now: string[] = []
      const work = (name: string) => async () => {
        t.false(now.includes(name) || now.includes('alone') || (name === 'alone' && now.length > 0))
        now.push(name)
        await scheduler.schedule(Promise.resolve())
        now.splice(now.indexOf(name), 1)
      }
      const all = names.map((name) =>
        name === 'alone' ? turns.alone(work(name)) : turns.run(name, work(name)),
      )
      const idle = turns.idle()
      await scheduler.waitFor(Promise.all([...all, idle]))
      t.deepEqual(now, [])
    }),
    { numRuns: 60 },
  )
})
