import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, open, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { KeelsonError, silentLogger as log } from '../../src/base/index.ts'
import { type Ledger, type Operation, openJournaledLedger, openLedger } from '../../src/ledger/index.ts'
import {
  decodeOperations,
  encodeOperations,
  JournalFile,
  readJournal,
} from '../../src/ledger/journal-file.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'
import { rootTest } from '../support/root.ts'
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
        if (one === 'tick') await clock.advance(300)
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
  await clock.advance(300)
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

/** A store in memory that takes or refuses what it is told only when it is asked to, one commit at a time. */
class GatedStore implements Ledger {
  readonly kept = new Map<string, Uint8Array>()
  #pending: { list: readonly Operation[]; settle: (error?: Error) => void } | undefined

  get(name: string): Uint8Array | undefined {
    return this.kept.get(name)
  }

  range(): Iterable<readonly [string, Uint8Array]> {
    return [...this.kept].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  commit(list: readonly Operation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending = { list, settle: (error) => (error ? reject(error) : resolve()) }
    })
  }

  async backup(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  apply(): boolean {
    for (const one of this.#pending?.list ?? []) {
      if ('put' in one) this.kept.set(one.put, Buffer.from(one.value))
      else this.kept.delete(one.remove)
    }
    return this.#pending !== undefined
  }

  settle(error?: Error): boolean {
    const pending = this.#pending
    this.#pending = undefined
    pending?.settle(error)
    return pending !== undefined
  }
}

/** What each commit was: its number is also its value. */
interface Sent {
  number: number
  name: string
  state: 'asked' | 'acknowledged' | 'refused'
}

/** What the next process finds at this moment, were this one killed: of copies of the files and the store. */
async function foundAfterKill(folder: string, store: GatedStore): Promise<ReadonlyMap<string, Uint8Array>> {
  const copies = join(folder, 'copies')
  await mkdir(copies, { recursive: true })
  for (const end of ['.0', '.1']) await copyFile(join(folder, `journal${end}`), join(copies, `journal${end}`))
  const next = new GatedStore()
  for (const [name, value] of store.kept) next.kept.set(name, value)
  next.commit = async (list) => {
    for (const one of list) if ('put' in one) next.kept.set(one.put, Buffer.from(one.value))
  }
  const path = join(copies, 'journal')
  await using _ledger = await openJournaledLedger({ ledger: next, path, clock: new FakeClock(), log })
  return next.kept
}

test('whatever is refused and whenever it is killed, the newest that was acknowledged of each key stays', async (t) => {
  const name = fc.constantFrom('a', 'b')
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ name, isEarly: fc.boolean() }) },
    { weight: 3, arbitrary: fc.constantFrom('take' as const, 'refuse' as const, 'tick' as const) },
  )
  const check = (sent: readonly Sent[], found: (key: string) => Uint8Array | undefined, at: string) => {
    for (const key of ['a', 'b']) {
      const value = found(key)
      const of = sent.filter((one) => one.name === key)
      const newest = Math.max(0, ...of.flatMap((one) => (one.state === 'acknowledged' ? [one.number] : [])))
      const seen = value === undefined ? 0 : Number(Buffer.from(value).toString())
      t.true(seen >= newest, `${at}: ${key} is ${seen} after ${newest} was acknowledged`)
      t.not(of.find((one) => one.number === seen)?.state, 'refused', `${at}: ${key} is ${seen}, refused`)
    }
  }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      await using folder = await temporaryDirectory()
      const [store, clock, sent] = [new GatedStore(), new FakeClock(), [] as Sent[]]
      const ledger = await openJournaledLedger({
        ledger: store,
        path: join(folder.path, 'journal'),
        clock,
        log,
      })
      const checkAll = async () => {
        await settle()
        check(sent, (key) => ledger.get(key), 'read')
        const found = await foundAfterKill(folder.path, store)
        check(sent, (key) => found.get(key), 'after a kill')
      }
      for (const one of steps) {
        if (one === 'tick') await clock.advance(300)
        else if (one === 'refuse') store.settle(new Error('full'))
        else if (one === 'take') {
          const isAsked = store.apply()
          await checkAll()
          if (isAsked) store.settle()
        } else {
          const next: Sent = { number: sent.length + 1, name: one.name, state: 'asked' }
          sent.push(next)
          const value = Buffer.from(String(next.number))
          ledger.commit([{ put: one.name, value }], { early: one.isEarly }).then(
            () => (next.state = 'acknowledged'),
            () => (next.state = 'refused'),
          )
        }
        await checkAll()
      }
      const end = ledger[Symbol.asyncDispose]()
      for (let quiet = 0; quiet < 2; ) {
        await settle()
        store.apply()
        quiet = store.settle() ? 0 : quiet + 1
      }
      await end
      check(sent, (key) => store.kept.get(key), 'at the end')
      t.false(sent.some(({ state }) => state === 'asked'))
    }),
    { numRuns: 40 },
  )
})

test('a death while the files are being emptied leaves the newer, never the older alone', async (t) => {
  await using folder = await temporaryDirectory()
  const path = join(folder.path, 'journal')
  const older = join(folder.path, 'older')
  for (const [file, generation, list] of [
    [older, 2, [{ put: 'a', value: Buffer.from('1') }]],
    [`${path}.0`, 3, [{ remove: 'a' }]],
  ] as const) {
    using made = new JournalFile(file)
    made.append(generation, list)
  }
  await symlink(older, `${path}.1`) // it can be read, and not be emptied: as if the process ended there
  const store = await openLedger({ path: join(folder.path, 'store'), mapSizeBytes: 2 ** 24 })
  await t.throwsAsync(openJournaledLedger({ ledger: store, path, clock: new FakeClock(), log }), {
    code: 'ELOOP',
  })
  await rename(older, `${path}.1`)
  const ledger = await openJournaledLedger({ ledger: store, path, clock: new FakeClock(), log })
  t.deepEqual(entries(ledger), [])
  await ledger[Symbol.asyncDispose]()
})

rootTest('a commit that its journal cannot take waits for the store', async (t) => {
  await using folder = await temporaryDirectory()
  const small = join(folder.path, 'small')
  await mkdir(small)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', small])
  try {
    const path = join(folder.path, 'store')
    const ledger = await openJournaledLedger({
      ledger: await openLedger({ path, mapSizeBytes: 2 ** 24 }),
      path: join(small, 'journal'),
      clock: new FakeClock(),
      log,
    })
    await ledger.commit([{ put: 'large', value: Buffer.alloc(10_000, 1) }], early)
    await ledger[Symbol.asyncDispose]()
    await using store = await openLedger({ path, mapSizeBytes: 2 ** 24 })
    t.deepEqual(
      entries(store).map(([name]) => name),
      ['large'],
    )
  } finally {
    execFileSync('umount', [small])
  }
})

test('after its end nothing is taken, early or not, and what is in its files stays as it is', async (t) => {
  await using folder = await temporaryDirectory()
  const { ledger } = await openIn(folder.path)
  await ledger.commit([{ put: 'a', value: Buffer.from('1') }], early)
  await ledger[Symbol.asyncDispose]()
  await ledger[Symbol.asyncDispose]()
  // One of these has the number that a journal's file had.
  const files = await Promise.all(['x', 'y', 'z'].map((name) => open(join(folder.path, name), 'w+')))
  const closed = { code: 'FAILED_PRECONDITION' }
  await t.throwsAsync(ledger.commit([{ put: 'b', value: Buffer.from('2') }], early), closed)
  await t.throwsAsync(ledger.commit([{ put: 'b', value: Buffer.from('2') }]), closed)
  await t.throwsAsync(ledger.backup(join(folder.path, 'backup')), closed)
  t.throws(() => ledger.get('a'), closed)
  t.throws(() => ledger.range({}), closed)
  for (const file of files) {
    t.is((await file.stat()).size, 0)
    await file.close()
  }
  const again = await openIn(folder.path)
  t.deepEqual(entries(again.ledger), [['a', Buffer.from('1')]])
  await again.ledger[Symbol.asyncDispose]()
})
