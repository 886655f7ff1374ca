import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type Clock, hasCode, silentLogger, systemClock } from '../../../src/base/index.ts'
import { openStore } from '../../../src/control/store/index.ts'
import { storeOn } from '../../../src/control/store/ledger-store.ts'
import { type Ledger, openLedger } from '../../../src/ledger/index.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { storeSuite } from './store-suite.ts'

const log = silentLogger

storeSuite(test, async () => {
  const directory = await temporaryDirectory()
  const options = { path: directory.path, clock: systemClock, log }
  const under = {
    store: await openStore(options),
    async reopen() {
      await under.store[Symbol.asyncDispose]()
      under.store = await openStore(options)
      return under.store
    },
    async [Symbol.asyncDispose]() {
      await under.store[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
  return under
})

/** kill -9 in the middle of many concurrent creates: what was acknowledged is there, and nothing is half there. */
test('kill -9 loses no acknowledged write', async (t) => {
  await using directory = await temporaryDirectory()
  const writer = fileURLToPath(new URL('./store-writer.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import=tsx', writer, directory.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const acknowledged: string[] = []
  for await (const key of createInterface({ input: child.stdout })) {
    acknowledged.push(key)
    if (acknowledged.length === 300) child.kill('SIGKILL')
  }
  await exited
  t.is(child.signalCode, 'SIGKILL')
  t.true(acknowledged.length >= 300)
  await using store = await openStore({ path: directory.path, clock: systemClock, log })
  const { entries } = await store.list({ prefix: 'object/' })
  const present = new Set(entries.map(({ key }) => key))
  t.deepEqual(
    acknowledged.filter((key) => !present.has(key)),
    [],
  )
  const twins = await store.list({ prefix: 'twin/' })
  t.is(twins.entries.length, entries.length, 'both writes of a transaction or none')
  t.is(store.revision, 1 + entries.length)
})

test('a second opener is refused while the first has it', async (t) => {
  await using directory = await temporaryDirectory()
  const options = { path: directory.path, clock: systemClock, log }
  const first = await openStore(options)
  const error = await t.throwsAsync(openStore(options))
  t.true(hasCode(error, 'FAILED_PRECONDITION'))
  await first[Symbol.asyncDispose]()
  await using second = await openStore(options)
  t.is(second.revision, 1)
})

test('a lease ends by itself', async (t) => {
  await using directory = await temporaryDirectory()
  const timers: (() => void)[] = []
  const clock: Clock = {
    ...systemClock,
    after(_delayMs, callback) {
      timers.push(callback)
      return () => timers.splice(timers.indexOf(callback), 1)
    },
  }
  await using store = await openStore({ path: directory.path, clock, log })
  const { id } = await store.grantLease(1_000)
  await store.transact({ writes: [{ put: 'event', value: Buffer.from('x'), lease: id }] })
  const removed = new Promise<void>((resolve) => {
    void store.watch({ prefix: 'event', onEvents: () => resolve(), onEnd: () => undefined })
  })
  for (const fire of [...timers]) fire()
  await removed
  t.is((await store.get('event')).entry, undefined)
})

test('history beyond its bound is compacted by itself', async (t) => {
  await using directory = await temporaryDirectory()
  const options = { path: directory.path, clock: systemClock, log, historyBytesMax: 20_000 }
  await using store = await openStore(options)
  for (let i = 0; i < 100; i++)
    await store.transact({ writes: [{ put: 'a', value: Buffer.alloc(1_000, i) }] })
  t.true(store.compactedRevision > 50)
  t.is((await store.get('a')).entry?.value[0], 99)
})

test('a snapshot is a store of its own', async (t) => {
  await using directory = await temporaryDirectory()
  await using store = await openStore({ path: `${directory.path}/a`, clock: systemClock, log })
  await store.transact({ writes: [{ put: 'a', value: Buffer.from('1') }] })
  await store.snapshot(`${directory.path}/b`)
  await store.transact({ writes: [{ put: 'a', value: Buffer.from('2') }] })
  await using copy = await openStore({ path: `${directory.path}/b`, clock: systemClock, log })
  t.is(copy.revision, 2)
  t.is(String((await copy.get('a')).entry?.value), '1')
})

/** A ledger whose next commits fail: `before` the bytes are written, or `after`, when nobody can tell. */
async function faultyLedger(path: string) {
  const ledger = await openLedger({ path })
  const faults: ('before' | 'after')[] = []
  const faulty: Ledger = {
    get: (key) => ledger.get(key),
    range: (range) => ledger.range(range),
    backup: (to) => ledger.backup(to),
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
    async commit(operations) {
      const fault = faults.shift()
      if (fault !== 'before') await ledger.commit(operations)
      if (fault) throw new Error('no space left')
    },
  }
  return { faulty, faults }
}

test('a flush that fails refuses its writers and leaves no trace', async (t) => {
  await using directory = await temporaryDirectory()
  const { faulty, faults } = await faultyLedger(directory.path)
  await using store = storeOn(faulty, { clock: systemClock, log })
  const seen: number[] = []
  await store.watch({
    prefix: '',
    onEvents: (events) => seen.push(...events.map(({ revision }) => revision)),
    onEnd: () => undefined,
  })
  const put = (key: string) => store.transact({ writes: [{ put: key, value: Buffer.from(key) }] })
  faults.push('before')
  const results = await Promise.allSettled([put('a'), put('b')])
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  t.is(store.revision, 1)
  t.is((await store.get('a')).entry, undefined)
  t.like(await put('c'), { succeeded: true, revision: 2 })
  t.deepEqual(seen, [2])
})

test('a flush that failed and yet reached the disk closes the store; a new start agrees with the disk', async (t) => {
  await using directory = await temporaryDirectory()
  const { faulty, faults } = await faultyLedger(directory.path)
  const store = storeOn(faulty, { clock: systemClock, log })
  const put = (key: string) => store.transact({ writes: [{ put: key, value: Buffer.from(key) }] })
  faults.push('after')
  await t.throwsAsync(put('a'))
  t.true(hasCode(await t.throwsAsync(put('b')), 'UNAVAILABLE'))
  await store[Symbol.asyncDispose]()
  t.throws(() => faulty.get('x'), undefined, 'the ledger is closed with the store')
  await using again = await openStore({ path: directory.path, clock: systemClock, log })
  t.is(String((await again.get('a')).entry?.value), 'a')
})
