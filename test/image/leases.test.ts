/** What an interrupted pull has stored waits for the next try, and not for ever. */
import { createCipheriv } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, KeelsonError, silentLogger, systemClock } from '../../src/base/index.ts'
import { ContentStore } from '../../src/image/content-store.ts'
import { type ImageStore, openImageStore } from '../../src/image/index.ts'
import { Leases } from '../../src/image/leases.ts'
import { file, sha256, tar } from '../support/archive.ts'
import { eventually } from '../support/eventually.ts'
import { type HostileRegistry, type Script, startHostileRegistry } from '../support/hostile-registry.ts'
import { rootTest as test } from '../support/root.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const noise = (bytes: number, key: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, key), Buffer.alloc(16)).update(Buffer.alloc(bytes))

/** A registry whose first layer comes, and whose second does as it is told. */
async function scene(firstBytes: number, second: 'busy' | 'lies') {
  const data = await temporaryDirectory()
  const layers = await Promise.all([tar(file('a', noise(firstBytes, 1))), tar(file('b', noise(5000, 2)))])
  const registry = await startHostileRegistry(layers)
  let lateMs = 0
  const timers = new Set<() => void>()
  const clock: Clock = {
    ...systemClock,
    nowMs: () => systemClock.nowMs() + lateMs,
    sleep: async () => undefined,
    after: (delayMs, callback) => {
      if (delayMs < 60_000) return systemClock.after(delayMs, callback)
      timers.add(callback)
      return () => void timers.delete(callback)
    },
  }
  const blobs = () => readdirSync(join(data.path, 'image/blobs/sha256'))
  const fails: Script = async (heard, honest) => {
    if (!heard.url.pathname.endsWith(registry.layers[1] ?? '')) return honest()
    // Not before the rest is there: a layer on its way would be a part of a blob.
    await eventually('config and first layer are stored', () => blobs().length === 2)
    return second === 'busy' ? { status: 503 } : { body: Buffer.alloc(5000) }
  }
  return {
    registry,
    open: (): Promise<ImageStore> => openImageStore({ dataDirectory: data.path, log: silentLogger, clock }),
    fail: () => Object.assign(registry, { script: fails }),
    heal: () => Object.assign(registry, { script: ((_heard, honest) => honest()) satisfies Script }),
    passMs(ms: number) {
      lateMs += ms
      for (const callback of [...timers]) callback()
    },
    /** Timers of more than a minute. */
    waiting: () => timers.size,
    blobs,
    leases: () =>
      readdirSync(join(data.path, 'image/leases')).map((name) => join(data.path, 'image/leases', name)),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await data[Symbol.asyncDispose]()
    },
  }
}

const askedFor = ({ heard, layers }: HostileRegistry, at: number) =>
  heard.filter(({ url }) => url.pathname.endsWith(layers[at] ?? '')).length

test('the next try fetches only what is missing, also after a restart, and then nothing is left of the lease', async (t) => {
  await using s = await scene(2_000_000, 'busy')
  s.fail()
  {
    await using store = await s.open()
    await t.throwsAsync(() => store.pull(s.registry.reference), { code: 'UNAVAILABLE' })
  }
  t.is(s.blobs().length, 2, 'config and first layer')
  {
    await using store = await s.open()
    s.heal()
    t.is((await store.pull(s.registry.reference)).id, s.registry.config)
    t.is(askedFor(s.registry, 0), 1)
    t.deepEqual(s.leases(), [])
    await store.remove(s.registry.config)
    t.deepEqual(s.blobs(), [])
  }
})

test('after an hour without another try it is collected', async (t) => {
  await using s = await scene(2_000_000, 'busy')
  s.fail()
  await using store = await s.open()
  await t.throwsAsync(() => store.pull(s.registry.reference), { code: 'UNAVAILABLE' })
  t.is(s.blobs().length, 2)
  s.passMs(3_500_000)
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.is(s.blobs().length, 2)
  s.passMs(101_000)
  await eventually('the blobs are gone', () => s.blobs().length === 0)
  t.deepEqual(s.leases(), [])
})

test('a clock that was set back makes no lease longer', async (t) => {
  await using s = await scene(2_000_000, 'busy')
  s.fail()
  {
    await using store = await s.open()
    await t.throwsAsync(() => store.pull(s.registry.reference), { code: 'UNAVAILABLE' })
  }
  s.passMs(-7_200_000)
  await using _store = await s.open()
  t.deepEqual(s.blobs(), [])
})

for (const [title, bytes, second, code] of [
  ['a pull that fails for good', 2_000_000, 'lies', 'DATA_LOSS'],
  ['a pull that had little', 20_000, 'busy', 'UNAVAILABLE'],
] as const)
  test(`${title} leaves nothing`, async (t) => {
    await using s = await scene(bytes, second)
    s.fail()
    await using store = await s.open()
    await t.throwsAsync(() => store.pull(s.registry.reference), { code })
    t.deepEqual(s.blobs(), [])
    t.deepEqual(s.leases(), [])
  })

test('a lease of another boot, or none that can be read, holds nothing', async (t) => {
  for (const change of [
    (text: string) => text.replace(/"boot":"[^"]*"/, '"boot":"another"'),
    (text: string) => text.slice(0, 20),
    (text: string) => text.replace('"version":1', '"version":2'),
  ]) {
    await using s = await scene(2_000_000, 'busy')
    s.fail()
    {
      await using store = await s.open()
      await t.throwsAsync(() => store.pull(s.registry.reference), { code: 'UNAVAILABLE' })
    }
    for (const path of s.leases()) writeFileSync(path, change(readFileSync(path, 'utf8')))
    await using _store = await s.open()
    t.deepEqual(s.blobs(), [])
    t.deepEqual(s.leases(), [])
  }
})

test('two pulls of one index, for two platforms, hold what both need until the last is done', async (t) => {
  await using data = await temporaryDirectory()
  const content = await ContentStore.open(data.path, 'boot', silentLogger)
  using leases = await Leases.open(data.path, { content, boot: 'boot', clock: systemClock })
  const [top = '', ...blobs] = ['top', 'first', 'second'].map((name) => sha256(Buffer.from(name)))
  const held = () => blobs.map((blob) => leases.holds(blob))
  for (const blob of blobs) await leases.take(top, [blob])
  t.deepEqual(held(), [true, true])
  await leases.end(top)
  t.deepEqual(held(), [true, true])
  await leases.fail(top, new KeelsonError('DATA_LOSS', 'lies'))
  t.deepEqual(held(), [false, false])
  t.deepEqual(readdirSync(join(data.path, 'leases')), [])
})

test('a store that is closed leaves no timer of its leases behind', async (t) => {
  await using s = await scene(2_000_000, 'busy')
  s.fail()
  {
    await using store = await s.open()
    await t.throwsAsync(() => store.pull(s.registry.reference), { code: 'UNAVAILABLE' })
    t.is(s.waiting(), 1)
  }
  t.is(s.waiting(), 0)
  {
    await using _store = await s.open()
    t.is(s.waiting(), 1, 'the lease is found again, and its end waited for')
  }
  t.is(s.waiting(), 0)
})
