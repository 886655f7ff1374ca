import test from 'ava'
import { KeelsonError } from '../../src/base/index.ts'
import { EventFeed } from '../../src/pod/event-feed.ts'

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
  const feed = new EventFeed<number>()
  for (let i = 0; i < 1500; i++) feed.push(i)
  const seen = await take(feed, 1000)
  t.deepEqual([seen[0], seen.at(-1)], [500, 1499])
})

test('each reader gets everything from when it came, in order; a sleeping one is woken', async (t) => {
  const feed = new EventFeed<number>()
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
  const feed = new EventFeed<number>()
  const abort = new AbortController()
  const next = feed.read(abort.signal).next()
  abort.abort()
  t.true((await next).done)
})

test('a reader that lags too far is cut off instead of holding memory', async (t) => {
  const feed = new EventFeed<number>()
  const reader = feed.read(new AbortController().signal)
  feed.push(0)
  await reader.next()
  for (let i = 0; i < 10_001; i++) feed.push(i)
  const error = await t.throwsAsync(reader.next(), { instanceOf: KeelsonError })
  t.is(error.code, 'RESOURCE_EXHAUSTED')
})
