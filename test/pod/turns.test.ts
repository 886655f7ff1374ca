import test from 'ava'
import fc from 'fast-check'
import { Turns } from '../../src/pod/turns.ts'

test('of one key never two at once and in order; a failure is its own; other keys do not wait', async (t) => {
  const job = fc.record({ key: fc.constantFrom('a', 'b'), ticks: fc.nat(3), fails: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(job), async (jobs) => {
      const turns = new Turns()
      const running = new Set<string>()
      const done: Record<string, number[]> = { a: [], b: [] }
      const all = jobs.map(({ key, ticks, fails }, index) =>
        turns.take(key, async () => {
          t.false(running.has(key))
          running.add(key)
          for (let i = 0; i < ticks; i++) await Promise.resolve()
          running.delete(key)
          done[key]?.push(index)
          if (fails) throw new Error(String(index))
          return index
        }),
      )
      const results = await Promise.allSettled(all)
      for (const [index, result] of results.entries()) {
        t.is(result.status, jobs[index]?.fails ? 'rejected' : 'fulfilled')
        if (result.status === 'rejected') t.is(result.reason.message, String(index))
      }
      for (const order of Object.values(done))
        t.deepEqual(
          order,
          order.toSorted((x, y) => x - y),
        )
    }),
  )
  const turns = new Turns()
  void turns.take('a', () => new Promise(() => {}))
  t.is(await turns.take('b', async () => 1), 1)
})
