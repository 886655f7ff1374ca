import test from 'ava'
import fc from 'fast-check'
import {
  checkIdMappings,
  hostIdOf,
  idMapArguments,
  idMapText,
  parseMountMaps,
  relativeTo,
} from '../../src/oci/id-mappings.ts'
import type { IdMapping } from '../../src/oci/spec.ts'

const one = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size })

/** Ranges that neither touch inside nor outside: each gets its own piece of both sides. */
const separateMaps = fc
  .array(fc.record({ at: fc.nat(49), size: fc.integer({ min: 1, max: 100 }) }), { maxLength: 20 })
  .map((list) => list.map(({ at, size }, index) => one(index * 200 + at, 1_000_000 + index * 150 + at, size)))

test('a map as the kernel and as newuidmap take it', (t) => {
  const maps = [one(0, 1000, 1), one(1, 100000, 65536)]
  t.is(idMapText(maps), '0 1000 1\n1 100000 65536\n')
  t.deepEqual(idMapArguments(maps), ['0', '1000', '1', '1', '100000', '65536'])
})

test('ids go out as the ranges say, in any order of the ranges', (t) => {
  fc.assert(
    fc.property(separateMaps, fc.nat(5000), (maps, id) => {
      const range = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size)
      const expected = range && range.hostID + (id - range.containerID)
      t.is(hostIdOf(maps, id), expected)
      t.is(hostIdOf([...maps].reverse(), id), expected)
    }),
  )
})

test('separate ranges are accepted, a doubled one is refused with its path, whatever the order', (t) => {
  fc.assert(
    fc.property(separateMaps, fc.nat(), (maps, pick) => {
      checkIdMappings(maps, 'm')
      const chosen = maps[pick % Math.max(1, maps.length)]
      if (!chosen) return
      const doubled = [...maps, { ...chosen, hostID: 5 }]
      const error = t.throws(() => checkIdMappings(doubled, 'm'))
      t.like(error, { code: 'INVALID_ARGUMENT' })
      t.regex((error as { path?: string }).path ?? '', /^m\[\d+\]\.(containerID|hostID)$/)
    }),
  )
})

test('what the kernel would not take is refused: too many ranges, too long a text, ids that are none', (t) => {
  const many = Array.from({ length: 341 }, (_, index) => one(index, index, 1))
  t.notThrows(() => checkIdMappings(many.slice(0, 340), 'm'))
  t.like(
    t.throws(() => checkIdMappings(many, 'm')),
    { code: 'INVALID_ARGUMENT', path: 'm' },
  )
  const long = Array.from({ length: 300 }, (_, index) => one(4_000_000_000 + index, 4_100_000_000 + index, 1))
  t.true(idMapText(long).length > 4096)
  t.like(
    t.throws(() => checkIdMappings(long, 'm')),
    { code: 'INVALID_ARGUMENT', path: 'm' },
  )
  for (const [bad, path] of [
    [one(0, 0, 0), 'm[0].size'],
    [one(-1, 0, 1), 'm[0].containerID'],
    [one(0, 4294967295, 1), 'm[0].hostID'],
    [one(0, 4294967000, 500), 'm[0].hostID'],
  ] as const)
    t.like(
      t.throws(() => checkIdMappings([bad], 'm')),
      { code: 'INVALID_ARGUMENT', path },
    )
})

test('crun’s words for the map of a mount', (t) => {
  t.deepEqual(parseMountMaps('uids=0-1-10#10-11-10;gids=0-100-10'), {
    uids: { relative: false, mappings: [one(0, 1, 10), one(10, 11, 10)] },
    gids: { relative: false, mappings: [one(0, 100, 10)] },
  })
  t.deepEqual(parseMountMaps('uids=@0-3-10'), { uids: { relative: true, mappings: [one(0, 3, 10)] } })
  for (const wrong of [
    '',
    'uids=',
    'uids=1-2',
    'uids=1-2-3;',
    'uids=1-2-3;uids=1-2-3',
    'x=1-2-3',
    'uids=1-2-x',
  ])
    t.is(parseMountMaps(wrong), undefined, wrong)
})

test('a relative map counts from the container, and only where the container maps all of it in one piece', (t) => {
  const outer = [one(0, 1000, 1), one(1, 100000, 100)]
  t.deepEqual(relativeTo(outer, [one(500, 1, 10)]), [one(500, 100000, 10)])
  t.deepEqual(relativeTo(outer, [one(500, 0, 1)]), [one(500, 1000, 1)])
  t.is(relativeTo(outer, [one(500, 0, 2)]), undefined)
  t.is(relativeTo(outer, [one(500, 100, 2)]), undefined)
})
