import test from 'ava'
import { KeelsonError } from '../../src/base/index.ts'
import { EventFeed } from '../../src/pod/event-feed.ts'
import { FakeClock } from '../support/fake-clock.ts'

async function take(feed: EventFeed<number>, count: number): Promise<number[]> {
  const abort = new AbortController()
  const seen: number[] = []
  for await (const event of feed.read(abort.signal)) {
    seen.push(event)
    if (seen.length === count) abort.abort()
  }
  return seen
}

test('what nobody heard waits for the first reader, the newest thousand of it', async (t) => {
  const feed = new EventFeed<number>(new FakeClock())
  for (let i = 0; i < 1500; i++) feed.push(i)
  const seen = await take(feed, 1000)
  t.deepEqual([seen[0], seen.at(-1)], [500, 1499])
})

test('what nobody heard is kept for five minutes', async (t) => {
  const clock = new FakeClock()
  const feed = new EventFeed<number>(clock)
  feed.push(1)
  await clock.advance(200_000)
  feed.push(2)
  await clock.advance(150_000)
  feed.push(3)
  t.deepEqual(await take(feed, 2), [2, 3])
  feed.push(4)
  await clock.advance(300_001)
  const left = take(feed, 1)
  feed.push(5)
  t.deepEqual(await left, [5])
})

test('each reader gets everything from when it came, in order; a sleeping one is woken', async (t) => {
  const feed = new EventFeed<number>(new FakeClock())
  const both = [take(feed, 3), take(feed, 3)]
  for (const event of [1, 2, 3]) {
    await new Promise((resolve) => setImmediate(resolve))
    feed.push(event)
  }
  t.deepEqual(await Promise.all(both), [
    [1, 2, 3],
    [1, 2, 3],
  ])
})

test('an aborted reader ends, also while it waits', async (t) => {
  const feed = new EventFeed<number>(new FakeClock())
  const abort = new AbortController()
  const next = feed.read(abort.signal).next()
  abort.abort()
  t.true((await next).done)
})

test('a reader that lags too far is cut off instead of holding memory', async (t) => {
  const feed = new EventFeed<number>(new FakeClock())
  const reader = feed.read(new AbortController().signal)
  feed.push(0)
  await reader.next()
  for (let i = 0; i < 10_001; i++) feed.push(i)
  const error = await t.throwsAsync(reader.next(), { instanceOf: KeelsonError })
  t.is(error.code, 'RESOURCE_EXHAUSTED')
})
