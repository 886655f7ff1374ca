/** Which images garbage collection takes, and how much: never one in use, pinned or young; the longest unused first. */
import test from 'ava'
import fc from 'fast-check'
import { bytesToFree, diskUse, prunable, removableImages } from '../../src/image/garbage.ts'
import type { ImageRecord, Records, SnapshotRecord } from '../../src/image/records.ts'

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
