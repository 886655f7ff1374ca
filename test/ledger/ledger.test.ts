import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import fc from 'fast-check'
import { type Ledger, type Operation, openLedger, type Range } from '../../src/ledger/index.ts'

class Folder implements AsyncDisposable {
  readonly path: string
  constructor(path: string) {
    this.path = path
  }
  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'keelson-ledger-')))
  }
  async [Symbol.asyncDispose]() {
    await rm(this.path, { recursive: true, force: true })
  }
}

const bytes = (text: string) => Buffer.from(text)
const put = (key: string, value = key): Operation => ({ put: key, value: bytes(value) })
const keys = (ledger: Ledger, range: Range = {}) => [...ledger.range(range)].map(([key]) => key)
const byBytes = (a: string, b: string) => Buffer.compare(bytes(a), bytes(b))

/** What the ledger promises, said with a Map. */
class Model {
  readonly #entries = new Map<string, Buffer>()
  apply(operations: readonly Operation[]) {
    for (const operation of operations)
      if ('put' in operation) this.#entries.set(operation.put, Buffer.from(operation.value))
      else this.#entries.delete(operation.remove)
  }
  range({ start, end, limit, reverse }: Range): [string, Buffer][] {
    const inside = [...this.#entries]
      .filter(([key]) => start === undefined || byBytes(key, start) >= 0)
      .filter(([key]) => end === undefined || byBytes(key, end) < 0)
      .sort(([a], [b]) => byBytes(a, b))
    return (reverse ? inside.reverse() : inside).slice(0, limit)
  }
  get(key: string) {
    return this.#entries.get(key)
  }
}

// Few and awkward letters, so that keys are prefixes of each other and ranges hit.
const letter = fc.constantFrom('\u0000', '\u0001', '\u001b', '/', 'a', 'b', '\u007f', 'é', '\uffff', '😀')
const word = fc.string({ unit: letter, maxLength: 4 })
const long = fc
  .tuple(word, fc.integer({ min: 60, max: 400 }))
  .map(([head, size]) => `${head}${'x'.repeat(size)}\u0000y`)
const anyKey = fc.oneof(
  { weight: 5, arbitrary: word.filter((key) => key !== '') },
  { weight: 1, arbitrary: long },
)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ put: anyKey, value: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ remove: anyKey }),
)
const range: fc.Arbitrary<Range> = fc.record(
  { start: fc.oneof(word, long), end: fc.oneof(word, long), limit: fc.nat(4), reverse: fc.boolean() },
  { requiredKeys: [] },
)

test('behaves as a Map sorted by UTF-8 bytes, in both directions and with limits', async (t) => {
  await using folder = await Folder.make()
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 6 }),
      fc.array(range, { minLength: 1, maxLength: 8 }),
      async (commits, ranges) => {
        await using ledger = await openLedger({
          path: join(folder.path, String(run++)),
          mapSizeBytes: 2 ** 24,
        })
        const model = new Model()
        for (const operations of commits) {
          await ledger.commit(operations)
          model.apply(operations)
        }
        for (const one of ranges) {
          const found = [...ledger.range(one)].map(([key, value]) => [key, Buffer.from(value)])
          t.deepEqual(found, model.range(one))
        }
        for (const [key] of model.range({})) t.deepEqual(Buffer.from(ledger.get(key) ?? []), model.get(key))
      },
    ),
    { numRuns: 60 },
  )
})

test('a resolved commit is seen by the very next read, also right after an earlier read', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path })
  for (let i = 0; i < 50; i++) {
    t.is(ledger.get('counter')?.toString(), i === 0 ? undefined : String(i - 1))
    await ledger.commit([put('counter', String(i))])
    t.is(Buffer.from(ledger.get('counter') ?? []).toString(), String(i))
    t.is(Buffer.from([...ledger.range({})][0]?.[1] ?? []).toString(), String(i))
  }
})

test('concurrent commits take effect in call order, operations of one in their order', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path })
  const settled: number[] = []
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await ledger.commit([put('last', 'wrong'), { remove: 'last' }, put('last', String(i)), put(`k${i}`)])
      settled.push(i)
    }),
  )
  t.is(Buffer.from(ledger.get('last') ?? []).toString(), '199')
  t.is(keys(ledger).length, 201)
  t.deepEqual(
    settled,
    Array.from({ length: 200 }, (_, i) => i),
  )
})

test('values handed in and out are copies', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path })
  const value = bytes('before')
  const done = ledger.commit([{ put: 'k', value }])
  value.fill(0)
  await done
  const first = ledger.get('k')
  await ledger.commit([put('k', 'after!'), put('big', 'x'.repeat(100_000))])
  const ranged = [...ledger.range({})].map(([, bytes]) => bytes.length)
  t.deepEqual(ranged, [100_000, 6])
  t.is(Buffer.from(first ?? []).toString(), 'before')
})

test('a range may be left early and a commit may come in the middle of one', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path })
  await ledger.commit(['a', 'b', 'c', 'd'].map((key) => put(key)))
  for (let i = 0; i < 2_000; i++) for (const [key] of ledger.range({})) if (key === 'b') break
  const seen: string[] = []
  for (const [key] of ledger.range({})) {
    seen.push(key)
    await ledger.commit([{ remove: 'c' }, put('e')])
  }
  t.deepEqual(seen, ['a', 'b', 'c', 'd'], 'one consistent view')
  t.deepEqual(keys(ledger), ['a', 'b', 'd', 'e'])
})

test('a wrong key refuses the whole commit', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path })
  for (const bad of ['', 'x'.repeat(1901), '\ud800'])
    await t.throwsAsync(() => ledger.commit([put('good'), put(bad)]), { code: 'INVALID_ARGUMENT' })
  t.deepEqual(keys(ledger), [])
  t.throws(() => ledger.get(''), { code: 'INVALID_ARGUMENT' })
  await ledger.commit([put('x'.repeat(1900)), put('\ufffd')])
  t.is(keys(ledger, { end: 'x'.repeat(3000) }).length, 1)
  await ledger.commit([])
})

test('a store outgrows the address space it was opened with', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: folder.path, mapSizeBytes: 2 ** 20 })
  await ledger.commit([put('kept')])
  await ledger.commit([{ put: 'big', value: Buffer.alloc(3 * 2 ** 20, 1) }])
  t.is(ledger.get('big')?.length, 3 * 2 ** 20)
  t.deepEqual(keys(ledger), ['big', 'kept'])
})

test('closing waits for commits that were begun; afterwards every call says so', async (t) => {
  await using folder = await Folder.make()
  const ledger = await openLedger({ path: folder.path })
  const pending = Array.from({ length: 100 }, (_, i) =>
    ledger.commit([put(`k${String(i).padStart(3, '0')}`)]),
  )
  const half = ledger.range({})[Symbol.iterator]()
  await ledger[Symbol.asyncDispose]()
  await Promise.all(pending)
  t.throws(() => ledger.get('k'), { code: 'FAILED_PRECONDITION' })
  t.throws(() => ledger.range({}), { code: 'FAILED_PRECONDITION' })
  t.throws(() => half.next(), { code: 'FAILED_PRECONDITION' })
  await t.throwsAsync(() => ledger.commit([put('k')]), { code: 'FAILED_PRECONDITION' })
  await ledger[Symbol.asyncDispose]()
  await using again = await openLedger({ path: folder.path })
  t.is(keys(again).length, 100)
})

test('a backup is a whole store of its own', async (t) => {
  await using folder = await Folder.make()
  await using ledger = await openLedger({ path: join(folder.path, 'store') })
  await ledger.commit([put('a'), put('b')])
  await ledger.backup(join(folder.path, 'copy'))
  await ledger.commit([put('c')])
  await using copy = await openLedger({ path: join(folder.path, 'copy') })
  t.deepEqual(keys(copy), ['a', 'b'])
})

test('a path that cannot hold a store is a clear error', async (t) => {
  await t.throwsAsync(() => openLedger({ path: '/dev/null/keelson-ledger' }), { message: /keelson-ledger/ })
})

test('a damaged file is told, and is not the end of the process', async (t) => {
  await using folder = await Folder.make()
  await (await openLedger({ path: folder.path }))[Symbol.asyncDispose]()
  await (await openLedger({ path: folder.path }))[Symbol.asyncDispose]()
  const path = join(folder.path, 'data.mdb')
  const good = await readFile(path)
  for (const [from, to] of [
    [0, 8192],
    [4096, 8192],
    [0, 4096],
  ] as const) {
    await writeFile(path, Buffer.from(good).fill(0x5a, from, to))
    await t.throwsAsync(openLedger({ path: folder.path }), {
      code: 'DATA_LOSS',
      message: /data\.mdb is damaged/,
    })
  }
  await writeFile(path, good.subarray(0, 100))
  await t.throwsAsync(openLedger({ path: folder.path }), { code: 'DATA_LOSS' })
  await writeFile(path, good)
  await (await openLedger({ path: folder.path }))[Symbol.asyncDispose]()
})

test('kill -9: every acknowledged commit is there, and every commit is there whole or not at all', async (t) => {
  await using folder = await Folder.make()
  const groups = 8
  for (let round = 0; round < 3; round++) {
    const acknowledged = await writeUntilKilled(join(folder.path, String(round)), 300)
    t.true(acknowledged.length > 100)
    await using ledger = await openLedger({ path: join(folder.path, String(round)) })
    for (const key of acknowledged) t.truthy(ledger.get(`${key}/0`), key)
    const counts = new Map<string, number>()
    for (const key of keys(ledger)) {
      const commit = key.slice(0, key.lastIndexOf('/'))
      counts.set(commit, (counts.get(commit) ?? 0) + 1)
    }
    t.deepEqual(
      [...counts].filter(([, count]) => count !== groups),
      [],
    )
  }
})

/** A child commits 8 keys at a time from 16 writers and prints each commit that resolved. */
async function writeUntilKilled(path: string, wanted: number): Promise<string[]> {
  const program = `
    const { openLedger } = await import(${JSON.stringify(new URL('../../src/ledger/index.ts', import.meta.url).href)})
    const { writeSync } = await import('node:fs')
    const ledger = await openLedger({ path: ${JSON.stringify(path)} })
    for (let writer = 0; writer < 16; writer++) (async () => {
      for (let i = 0; ; i++) {
        await ledger.commit(Array.from({ length: 8 }, (_, k) => ({ put: writer + '/' + i + '/' + k, value: Buffer.alloc(500, k) })))
        writeSync(1, writer + '/' + i + '\\n')
      }
    })()`
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import=tsx', '--input-type=module', '--eval', program],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const acknowledged: string[] = []
  if (!child.stdout) throw new Error('no stdout')
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length === wanted) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return acknowledged
}
