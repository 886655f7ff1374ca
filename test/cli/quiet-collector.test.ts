import test from 'ava'
import { QuietCollector } from '../../src/cli/quiet-collector.ts'
import { FakeClock } from '../support/fake-clock.ts'

function counted() {
  const clock = new FakeClock()
  const counts = { collections: 0 }
  return { clock, counts, collector: new QuietCollector(clock, () => counts.collections++) }
}

test('once after the start and once after each spell of work, not while it goes on', async (t) => {
  const { clock, counts, collector } = counted()
  await clock.advance(12_500)
  t.is(counts.collections, 1)
  for (let call = 0; call < 10; call++) {
    collector.ended('StartContainer')
    await clock.advance(8_000)
  }
  t.is(counts.collections, 1)
  await clock.advance(20_000)
  t.is(counts.collections, 2)
})

test('those who only ask are no work', async (t) => {
  const { clock, counts, collector } = counted()
  await clock.advance(12_500)
  for (const method of ['ListPodSandbox', 'ContainerStatus', 'Version', 'ListContainerStats', 'ImageStatus'])
    collector.ended(method)
  await clock.advance(20_000)
  t.is(counts.collections, 1)
  t.is(clock.pending, 0)
})

test('nothing comes after it was disposed; by itself it collects', async (t) => {
  const { clock, counts, collector } = counted()
  collector[Symbol.dispose]()
  await clock.advance(20_000)
  t.is(counts.collections, 0)
  using own = new QuietCollector(clock)
  own.ended('RemoveImage')
  await clock.advance(20_000)
  t.is(clock.pending, 0)
})
