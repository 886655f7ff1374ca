/** Downloads of one blob that meet: who gave up is still cleaning up when the next try begins. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/index.ts'
import { ContentStore } from '../../src/image/content-store.ts'
import { sha256 } from '../support/archive.ts'
import { deepTree } from '../support/deep-tree.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const bytes = Buffer.alloc(5000, 'x')
const blob = { digest: sha256(bytes), sizeBytes: bytes.length }

/** The first half, then what the test decides. */
function halting() {
  let goOn: (error?: Error) => void = () => undefined
  const halted = new Promise<void>((resolve, reject) => {
    goOn = (error) => (error ? reject(error) : resolve())
  })
  return {
    goOn,
    async *open(offset: number) {
      yield bytes.subarray(offset, 2500)
      await halted
      yield bytes.subarray(2500)
    },
  }
}

async function* whole(offset: number) {
  yield bytes.subarray(offset)
}

for (const outcome of ['fails', 'succeeds'] as const)
  test(`a download waits for the one before it, which ${outcome}`, async (t) => {
    await using folder = await temporaryDirectory()
    const store = await ContentStore.open(folder.path, 'b007', silentLogger)
    const before = halting()
    const first = store.resume(blob, before.open)
    let asked = 0
    const open = (offset: number) => {
      asked += 1
      return whole(offset)
    }
    const later = [store.resume(blob, open), store.resume(blob, open)]
    const stop = new AbortController()
    const impatient = store.resume(blob, open, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await t.throwsAsync(impatient, { message: 'enough' })
    t.is(asked, 0)
    before.goOn(outcome === 'fails' ? new Error('given up') : undefined)
    if (outcome === 'fails') await t.throwsAsync(first, { message: /given up/ })
    else await first
    await Promise.all(later)
    t.is(asked, outcome === 'fails' ? 1 : 0)
    t.true(readFileSync(store.path(blob.digest)).equals(bytes))
    t.deepEqual(readdirSync(join(folder.path, 'ingest')), [])
  })

test('what an earlier process left half-removed goes when the store opens, however deep it is', async (t) => {
  await using folder = await temporaryDirectory()
  const ingest = join(folder.path, 'ingest')
  mkdirSync(ingest)
  deepTree(join(ingest, 'snapshot-1'), 6000)
  writeFileSync(join(ingest, 'blob-0'), 'half')
  await ContentStore.open(folder.path, 'b007', silentLogger)
  t.deepEqual(readdirSync(ingest), [])
})
