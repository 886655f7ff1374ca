/** Which images garbage collection takes, and how much: never one in use, pinned or young; the longest unused first. */
import test from 'ava'
import fc from 'fast-check'
import { bytesToFree, diskUse, freeDisk, prunable, removableImages } from '../../src/image/garbage.ts'
import type { ImageRecord, Records, SnapshotRecord } from '../../src/image/records.ts'
import { FakeClock } from '../support/fake-clock.ts'

interface Case {
  id: string
  pinned: boolean
  tagged: boolean
  used: boolean
  usedMs: number
}

function recordsOf(cases: readonly Case[]): Records {
  const images = new Map<string, ImageRecord>()
  const snapshots = new Map<string, SnapshotRecord>()
  for (const { id, pinned, tagged, used, usedMs } of cases) {
    const image = { id, pinned, repoTags: tagged ? [`host/${id}:1`] : [] } as unknown as ImageRecord['image']
    images.set(id, { image, blobs: [], layerKeys: [], addedMs: 0, usedMs })
    if (used) snapshots.set(id, { key: id, imageId: id, layerKeys: [] })
  }
  return { images, snapshots } as unknown as Records
}

const anyCase = fc.record({
  id: fc.uuid(),
  pinned: fc.boolean(),
  tagged: fc.boolean(),
  used: fc.boolean(),
  usedMs: fc.nat(1000),
})

test('what may go is unused, unpinned and old enough, the longest unused first', (t) => {
  fc.assert(
    fc.property(fc.array(anyCase), fc.nat(1000), (cases, minAgeMs) => {
      const found = removableImages(recordsOf(cases), { minAgeMs, nowMs: 1000 }).map(({ image }) => image.id)
      const byId = new Map(cases.map((one) => [one.id, one]))
      for (const id of found) {
        const one = byId.get(id)
        t.true(one && !one.pinned && !one.used && 1000 - one.usedMs >= minAgeMs)
      }
      const times = found.map((id) => byId.get(id)?.usedMs ?? 0)
      t.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      )
      const may = [...byId.values()].filter(
        (one) => !one.pinned && !one.used && 1000 - one.usedMs >= minAgeMs,
      )
      t.is(found.length, may.length)
    }),
  )
})

test('prune takes what has lost its tags, with `all` the others too', (t) => {
  const plain = { pinned: false, used: false, usedMs: 0 }
  const records = recordsOf([
    { id: 'a', tagged: true, ...plain },
    { id: 'b', tagged: false, ...plain },
  ])
  const ids = (all: boolean) => prunable(records, { all }, 1000).map(({ image }) => image.id)
  t.deepEqual(ids(false), ['b'])
  t.deepEqual(ids(true), ['a', 'b'])
})

test('from the high mark down to the low one, and nothing below it', (t) => {
  const policy = { highPercent: 85, lowPercent: 80, minAgeMs: 0 }
  t.is(bytesToFree({ usedBytes: 84, capacityBytes: 100 }, policy), 0)
  t.is(bytesToFree({ usedBytes: 85, capacityBytes: 100 }, policy), 5)
  t.is(bytesToFree({ usedBytes: 100, capacityBytes: 100 }, policy), 20)
  for (const wrong of [{ highPercent: 80, lowPercent: 85 }, { highPercent: 101 }, { lowPercent: -1 }])
    t.throws(() => bytesToFree({ usedBytes: 1, capacityBytes: 2 }, { ...policy, ...wrong }))
})

test('the disk is counted as df counts it', async (t) => {
  const { usedBytes, capacityBytes } = await diskUse('/')
  t.true(usedBytes > 0 && capacityBytes >= usedBytes)
})

test('the disk is freed of what may go at that moment: not of what is worked on or was taken into use meanwhile', async (t) => {
  const plain = { pinned: false, tagged: true, used: false }
  const cases = ['first', 'pulled again', 'second', 'pinned', 'used'].map((id, usedMs) => ({
    ...plain,
    id,
    usedMs,
    pinned: id === 'pinned',
    used: id === 'used',
  }))
  const records = recordsOf(cases)
  records.images.get('pulled again')?.blobs.push('sha256:worked-on')
  const remove = async (id: string) => {
    records.images.delete(id)
    records.snapshots.set('c', { key: 'c', imageId: 'second', layerKeys: [] })
  }
  const pins = { has: (name: string) => name === 'sha256:worked-on' }
  const context = { records, pins, directory: '/', clock: new FakeClock(1000), remove }
  const freed = await freeDisk(context, { highPercent: 0, lowPercent: 0, minAgeMs: 0 })
  t.deepEqual(
    freed.images.map(({ id }) => id),
    ['first'],
  )
  t.true(freed.missingBytes > 0)
  const none = await freeDisk(context, { highPercent: 100, lowPercent: 99, minAgeMs: 0 })
  t.deepEqual(none, { images: [], bytes: 0, missingBytes: 0 })
})
