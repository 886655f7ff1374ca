import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { KeelsonError, silentLogger as log } from '../../src/base/index.ts'
import { type Ledger, type Operation, openJournaledLedger, openLedger } from '../../src/ledger/index.ts'
import { decodeOperations, encodeOperations, readJournal } from '../../src/ledger/journal-file.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const key = fc.constantFrom('a', 'ab', 'b', 'é', '😀')
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ put: key, value: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) }),
  fc.record({ remove: key }),
)
const operations = fc.array(operation, { minLength: 1, maxLength: 4 })
const early = { early: true }

async function openIn(directory: string, wrap = (ledger: Ledger) => ledger) {
  const clock = new FakeClock()
  const ledger = wrap(await openLedger({ path: join(directory, 'store'), mapSizeBytes: 2 ** 24 }))
  return {
    clock,
    ledger: await openJournaledLedger({ ledger, path: join(directory, 'journal'), clock, log }),
  }
}

const entries = (ledger: Ledger) => [...ledger.range({})].map(([name, value]) => [name, Buffer.from(value)])

test('operations come out of their bytes as they went in', (t) => {
  fc.assert(
    fc.property(operations, (list) => {
      t.deepEqual(decodeOperations(encodeOperations(list)), list)
    }),
  )
})

test('behaves as the ledger below it, whichever commits are early and whenever the store is told', async (t) => {
  const step = fc.oneof(
    fc.record({ list: operations, isEarly: fc.boolean() }),
    fc.constant('tick' as const),
    fc.constant('reopen' as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await using folder = await temporaryDirectory()
      await using plain = await openLedger({ path: join(folder.path, 'plain'), mapSizeBytes: 2 ** 24 })
      let { ledger, clock } = await openIn(folder.path)
      for (const one of steps) {
        if (one === 'tick') await clock.advance(60)
        else if (one === 'reopen') {
          await ledger[Symbol.asyncDispose]()
          ;({ ledger, clock } = await openIn(folder.path))
        } else {
          await Promise.all([ledger.commit(one.list, { early: one.isEarly }), plain.commit(one.list)])
        }
        t.deepEqual(entries(ledger), entries(plain))
        t.deepEqual(
          ledger.get('a') && Buffer.from(ledger.get('a') ?? ''),
          plain.get('a') && Buffer.from(plain.get('a') ?? ''),
        )
        const backwards = { start: 'a', end: 'é', reverse: true, limit: 2 }
        t.deepEqual(
          [...ledger.range(backwards)].map(([name]) => name),
          [...plain.range(backwards)].map(([name]) => name),
        )
      }
      await ledger[Symbol.asyncDispose]()
    }),
    { numRuns: 30 },
  )
})

test('what was acknowledged early survives a kill -9, and a torn last frame is nobody’s', async (t) => {
  await using folder = await temporaryDirectory()
  const program = `
    import { openJournaledLedger, openLedger } from ${JSON.stringify(new URL('../../src/ledger/index.ts', import.meta.url).href)}
    const ledger = await openLedger({ path: ${JSON.stringify(join(folder.path, 'store'))}, mapSizeBytes: 2 ** 24 })
    const clock = { after: () => () => {} }
    const journaled = await openJournaledLedger({ ledger, path: ${JSON.stringify(join(folder.path, 'journal'))}, clock })
    await journaled.commit([{ put: 'durable', value: Buffer.from('1') }])
    await journaled.commit([{ put: 'early', value: Buffer.from('2') }], { early: true })
    await journaled.commit([{ remove: 'durable' }], { early: true })
    process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], {
    stdio: 'inherit',
  })
  t.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
  const path = join(folder.path, 'journal.0')
  await writeFile(path, Buffer.concat([await readFile(path), Buffer.from([9, 0, 0, 0, 1, 2])]))
  const { ledger } = await openIn(folder.path)
  t.deepEqual(entries(ledger), [['early', Buffer.from('2')]])
  await ledger[Symbol.asyncDispose]()
})

test('a journal of another boot tells nothing', async (t) => {
  await using folder = await temporaryDirectory()
  const { ledger } = await openIn(folder.path)
  await ledger.commit([{ put: 'a', value: Buffer.from('1') }], early)
  const path = join(folder.path, 'journal.0')
  const bytes = await readFile(path)
  t.is(readJournal(path)?.commits.length, 1)
  await ledger[Symbol.asyncDispose]()
  bytes.write('another-boot', 12) // the checksum no longer fits either
  await writeFile(path, bytes)
  t.is(readJournal(path), undefined)
})

test('a store that refuses is asked again by the next commit, which waits for it; nothing is lost', async (t) => {
  await using folder = await temporaryDirectory()
  let isFull = false
  const full = (ledger: Ledger): Ledger => ({
    get: (name) => ledger.get(name),
    range: (range) => ledger.range(range),
    backup: (directory) => ledger.backup(directory),
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
    commit: async (list) => {
      if (isFull) throw new KeelsonError('RESOURCE_EXHAUSTED', 'the disk is full')
      await ledger.commit(list)
    },
  })
  const { ledger, clock } = await openIn(folder.path, full)
  isFull = true
  await ledger.commit([{ put: 'a', value: Buffer.from('1') }], early)
  await clock.advance(60)
  await t.throwsAsync(ledger.commit([{ put: 'b', value: Buffer.from('2') }], early), {
    message: 'the disk is full',
  })
  t.deepEqual(entries(ledger), [['a', Buffer.from('1')]])
  isFull = false
  await ledger.commit([{ put: 'c', value: Buffer.from('3') }], early)
  t.deepEqual(
    entries(ledger).map(([name]) => name),
    ['a', 'c'],
  )
  await ledger[Symbol.asyncDispose]()
})
