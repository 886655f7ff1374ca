/** What every back end of the store must do. A back end's test file hands in how to open and reopen it. */
import type { TestFn } from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/base/index.ts'
import type { Store, StoreEvent } from '../../../src/control/store/index.ts'
import { ModelStore } from './model-store.ts'

export interface StoreUnderTest extends AsyncDisposable {
  store: Store
  /** Closes the store and opens it on the same data. */
  reopen(): Promise<Store>
}

const bytes = (text: string) => Buffer.from(text)
const text = (value: Uint8Array | undefined) => (value ? Buffer.from(value).toString() : undefined)
const put = (store: Store, key: string, value: string) =>
  store.transact({ writes: [{ put: key, value: bytes(value) }] })
const remove = (store: Store, key: string) => store.transact({ writes: [{ remove: key }] })

async function collect(store: Store, prefix: string, afterRevision?: number) {
  const events: StoreEvent[] = []
  let ended: Error | undefined
  const watch = await store.watch({
    prefix,
    afterRevision,
    onEvents: (some) => events.push(...some),
    onEnd: (error) => {
      ended = error
    },
  })
  return { events, watch, ended: () => ended }
}

const brief = (event: StoreEvent) => `${event.revision} ${event.type} ${event.key}`

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one test after the other
export function storeSuite(test: TestFn, open: () => Promise<StoreUnderTest>): void {
  test('an empty store is at revision 1; each writing transaction takes the next', async (t) => {
    await using under = await open()
    const { store } = under
    t.is(store.revision, 1)
    t.like(await put(store, 'a', '1'), { succeeded: true, revision: 2 })
    t.like(await put(store, 'a', '2'), { succeeded: true, revision: 3 })
    t.like(await remove(store, 'b'), { succeeded: true, revision: 3 }, 'removing nothing takes none')
    const { entry } = await store.get('a')
    t.like(entry, { createRevision: 2, modRevision: 3, version: 2, lease: 0 })
    t.is(text(entry?.value), '2')
    t.is((await store.get('a')).entry, entry, 'the same version is the same object')
  })

  test('a comparison that fails changes nothing and tells what is there', async (t) => {
    await using under = await open()
    const { store } = under
    const create = { when: [{ key: 'a', modRevision: 0 }], writes: [{ put: 'a', value: bytes('x') }] }
    t.true((await store.transact(create)).succeeded)
    const second = await store.transact(create)
    t.false(second.succeeded)
    t.is(second.succeeded ? undefined : text(second.current[0]?.value), 'x')
    t.is(store.revision, 2)
  })

  test('of many that compare the same version one wins', async (t) => {
    await using under = await open()
    const { store } = under
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        store.transact({
          when: [{ key: 'a', modRevision: 0 }],
          writes: [{ put: 'a', value: bytes(String(i)) }],
        }),
      ),
    )
    t.is(results.filter(({ succeeded }) => succeeded).length, 1)
    t.is(store.revision, 2)
  })

  test('lists page by key, at a revision, and count what remains', async (t) => {
    await using under = await open()
    const { store } = under
    for (const key of ['p/c', 'p/a', 'q/x', 'p/b', 'o/z']) await put(store, key, key)
    const { revision } = store
    await remove(store, 'p/a')
    await put(store, 'p/d', 'later')
    const keys = async (query: Parameters<Store['list']>[0]) =>
      (await store.list(query)).entries.map(({ key }) => key)
    t.deepEqual(await keys({ prefix: 'p/' }), ['p/b', 'p/c', 'p/d'])
    t.deepEqual(await keys({ prefix: 'p/', revision }), ['p/a', 'p/b', 'p/c'])
    t.like(await store.list({ prefix: 'p/', revision, limit: 1 }), { remaining: 2, revision })
    t.deepEqual(await keys({ prefix: 'p/', revision, limit: 5, after: 'p/a' }), ['p/b', 'p/c'])
  })

  test('a watch from a revision sees all later changes once, live ones too', async (t) => {
    await using under = await open()
    const { store } = under
    await put(store, 'p/a', '1')
    const from = store.revision
    await put(store, 'p/b', '1')
    await put(store, 'q/a', '1')
    await remove(store, 'p/a')
    const { events, watch } = await collect(store, 'p/', from)
    await store.transact({
      writes: [
        { put: 'p/c', value: bytes('1') },
        { put: 'p/b', value: bytes('2') },
      ],
    })
    t.deepEqual(events.map(brief), ['3 put p/b', '5 remove p/a', '6 put p/c', '6 put p/b'])
    t.is(text(events[3]?.previous?.value), '1')
    t.is(text(events[1]?.previous?.value), '1')
    t.is(watch.revision, 6)
    watch[Symbol.dispose]()
    await put(store, 'p/z', '1')
    t.is(events.length, 4)
  })

  test('compaction keeps what is current and refuses what is gone', async (t) => {
    await using under = await open()
    const { store } = under
    await put(store, 'a', '1')
    await put(store, 'a', '2')
    await put(store, 'b', '1')
    await remove(store, 'b')
    const at = store.revision
    await put(store, 'a', '3')
    await store.compact(at)
    t.is(store.compactedRevision, at)
    t.is(text((await store.get('a', { revision: at })).entry?.value), '2')
    t.true(hasCode(await t.throwsAsync(store.get('a', { revision: at - 1 })), 'EXPIRED'))
    t.true(hasCode(await t.throwsAsync(collect(store, '', at - 1)), 'EXPIRED'))
    t.deepEqual((await collect(store, '', at)).events.map(brief), [`${at + 1} put a`])
    t.true(hasCode(await t.throwsAsync(store.get('a', { revision: at + 9 })), 'INVALID_ARGUMENT'))
  })

  test('everything is there after a restart, revisions go on, old watches resume', async (t) => {
    await using under = await open()
    await put(under.store, 'a', '1')
    await put(under.store, 'a', '2')
    await remove(under.store, 'a')
    await put(under.store, 'b', '1')
    await under.store.compact(3)
    const { revision } = under.store
    const store = await under.reopen()
    t.is(store.revision, revision)
    t.is(store.compactedRevision, 3)
    t.is((await store.get('a')).entry, undefined)
    t.is(text((await store.get('a', { revision: 3 })).entry?.value), '2')
    const { events } = await collect(store, '', 3)
    t.like(await put(store, 'b', '2'), { revision: revision + 1 })
    t.deepEqual(events.map(brief), ['4 remove a', '5 put b', '6 put b'])
    t.is(text(events[0]?.previous?.value), '2')
    t.like((await store.get('b')).entry, { createRevision: 5, version: 2 })
  })

  test('revisions do not go back when the newest record was a removal and is compacted', async (t) => {
    await using under = await open()
    await put(under.store, 'a', '1')
    await remove(under.store, 'a')
    await under.store.compact(3)
    t.is((await under.reopen()).revision, 3)
  })

  test('a lease takes its keys with it, but not those written anew without it', async (t) => {
    await using under = await open()
    const { store } = under
    const { events } = await collect(store, '')
    const { id } = await store.grantLease(60_000)
    await store.transact({ writes: [{ put: 'a', value: bytes('1'), lease: id }] })
    await store.transact({ writes: [{ put: 'b', value: bytes('1'), lease: id }] })
    await put(store, 'b', '2')
    await store.revokeLease(id)
    t.is((await store.get('a')).entry, undefined)
    t.is(text((await store.get('b')).entry?.value), '2')
    t.is(events.at(-1) && brief(events.at(-1) as StoreEvent), '5 remove a')
    t.true(hasCode(await t.throwsAsync(store.keepLeaseAlive(id)), 'NOT_FOUND'))
    const late = store.transact({ writes: [{ put: 'c', value: bytes('1'), lease: id }] })
    t.true(hasCode(await t.throwsAsync(late), 'NOT_FOUND'))
  })

  test('what is malformed is refused', async (t) => {
    await using under = await open()
    const twice = under.store.transact({ writes: [{ remove: 'a' }, { put: 'a', value: bytes('') }] })
    t.true(hasCode(await t.throwsAsync(twice), 'INVALID_ARGUMENT'))
    t.true(hasCode(await t.throwsAsync(put(under.store, '', 'x')), 'INVALID_ARGUMENT'))
  })

  test('a watcher that throws is ended and harms nobody; closing ends the others', async (t) => {
    await using under = await open()
    const { store } = under
    let ended: Error | undefined
    await store.watch({
      prefix: '',
      onEvents: () => {
        throw new Error('bad watcher')
      },
      onEnd: (error) => {
        ended = error
      },
    })
    const other = await collect(store, '')
    await put(store, 'a', '1')
    await put(store, 'a', '2')
    t.is(ended?.message, 'bad watcher')
    t.is(other.events.length, 2)
    await under.reopen()
    t.true(hasCode(other.ended(), 'UNAVAILABLE'))
    t.true(hasCode(await t.throwsAsync(store.get('a')), 'UNAVAILABLE'))
  })

  test('agrees with the model on any history', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
        await using under = await open()
        await compareWithModel(under, steps)
      }),
      { numRuns: 40 },
    )
    t.pass()
  })
}

type Step =
  | { do: 'write'; writes: ({ put: string; value: string } | { remove: string })[] }
  | { do: 'swap'; key: string; guess: number; value: string }
  | { do: 'compact' | 'list'; back: number }
  | { do: 'reopen' }

const anyKey = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/1')
const anyWrite = fc.oneof(
  fc.record({ put: anyKey, value: fc.string({ maxLength: 5 }) }),
  fc.record({ remove: anyKey }),
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      writes: fc.uniqueArray(anyWrite, {
        minLength: 1,
        maxLength: 3,
        selector: (one) => ('put' in one ? one.put : one.remove),
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('swap' as const),
      key: anyKey,
      guess: fc.nat(20),
      value: fc.string({ maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('compact' as const, 'list' as const), back: fc.nat(10) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
)

/** Runs the steps on both, comparing results, lists at revisions, and what a watch from the start has seen. */
async function compareWithModel(under: StoreUnderTest, steps: readonly Step[]): Promise<void> {
  const model = new ModelStore()
  let { store } = under
  let live = await collect(store, '')
  const seen: string[] = []
  for (const step of steps) {
    if (step.do === 'write') {
      const writes = step.writes.map((one) =>
        'put' in one ? { put: one.put, value: bytes(one.value) } : one,
      )
      await store.transact({ writes })
      model.write(step.writes)
    } else if (step.do === 'swap') {
      const { key, guess, value } = step
      const result = await store.transact({
        when: [{ key, modRevision: guess }],
        writes: [{ put: key, value: bytes(value) }],
      })
      expectSame(result.succeeded, model.swap(key, guess, value))
    } else if (step.do === 'compact') {
      const revision = Math.max(store.compactedRevision, store.revision - step.back)
      await store.compact(revision)
      model.compacted = Math.max(model.compacted, revision)
    } else if (step.do === 'list') {
      const revision = Math.max(store.compactedRevision, store.revision - step.back, 1)
      const { entries } = await store.list({ prefix: 'a', revision })
      expectSame(
        entries.map(({ key, value, modRevision, version }) => [key, text(value), modRevision, version]),
        model.list('a', revision),
      )
    } else {
      seen.push(...live.events.map(brief))
      store = await under.reopen()
      live = await collect(store, '')
    }
    expectSame(store.revision, model.revision)
    expectSame(store.compactedRevision, model.compacted)
  }
  seen.push(...live.events.map(brief))
  expectSame(seen, model.events(0))
  const replay = await collect(store, '', Math.max(1, store.compactedRevision))
  expectSame(replay.events.map(brief), model.events(store.compactedRevision))
}

function expectSame(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`store ${a}, model ${b}`)
}
