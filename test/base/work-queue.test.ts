import test from 'ava'
import fc from 'fast-check'
import { WorkQueue } from '../../src/base/index.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'

const ignore = () => undefined

test('hands keys out in the order of adding, each once', async (t) => {
  const seen: string[] = []
  const queue = new WorkQueue<string>({
    clock: new FakeClock(),
    concurrency: 1,
    onError: ignore,
    worker: async (key) => void seen.push(key),
  })
  for (const key of ['a', 'b', 'a', 'c']) queue.add(key)
  await settle()
  // `a` ran at once, so the second `a` found it running and came back at the end.
  t.deepEqual(seen, ['a', 'b', 'c', 'a'])
})

test('a failing key comes back with a doubled back-off, forgotten after a success', async (t) => {
  const clock = new FakeClock()
  let failures = 3
  const times: number[] = []
  const queue = new WorkQueue<string>({
    clock,
    backoffMinMs: 100,
    backoffMaxMs: 1000,
    onError: ignore,
    worker: async () => {
      times.push(clock.nowMs())
      if (failures-- > 0) throw new Error('not yet')
    },
  })
  queue.add('pod')
  await clock.advance(10_000)
  const start = times[0] ?? 0
  t.deepEqual(
    times.map((time) => time - start),
    [0, 100, 300, 700],
  )
})

test('a worker may ask for a later look', async (t) => {
  const clock = new FakeClock()
  let runs = 0
  const queue = new WorkQueue<string>({
    clock,
    onError: ignore,
    worker: async () => (++runs < 3 ? { afterMs: 50 } : undefined),
  })
  queue.add('x')
  await clock.advance(1000)
  t.is(runs, 3)
})

test('close waits for the running and drops the rest', async (t) => {
  let release = ignore as () => void
  const done: string[] = []
  const queue = new WorkQueue<string>({
    clock: new FakeClock(),
    concurrency: 1,
    onError: ignore,
    worker: async (key) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      done.push(key)
    },
  })
  queue.add('first')
  queue.add('second')
  await settle()
  const closed = queue.close()
  release()
  await closed
  queue.add('third')
  await settle()
  t.deepEqual(done, ['first'])
})

test('no key is ever worked on twice at once, and every added key is worked on after its last add', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 30 }), async (keys) => {
      const clock = new FakeClock()
      const running = new Set<string>()
      const lastAdded = new Map<string, number>()
      const lastRun = new Map<string, number>()
      let step = 0
      const queue = new WorkQueue<string>({
        clock,
        concurrency: 2,
        onError: ignore,
        worker: async (key) => {
          if (running.has(key)) throw new Error(`${key} twice at once`)
          running.add(key)
          lastRun.set(key, step++)
          await clock.sleep(10)
          running.delete(key)
        },
      })
      for (const key of keys) {
        lastAdded.set(key, step++)
        queue.add(key)
        await clock.advance(3)
      }
      await clock.advance(1000)
      for (const [key, added] of lastAdded) t.true((lastRun.get(key) ?? -1) > added, key)
      t.is(queue.size, 0)
    }),
    { numRuns: 50 },
  )
})
