import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type Clock, hasCode, silentLogger, systemClock } from '../../../src/base/index.ts'
import { openStore } from '../../../src/control/store/index.ts'
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
