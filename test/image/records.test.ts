/** Changes of one record that come at once: none is lost, each sees those before it, and a refused one leaves nothing. */
import test from 'ava'
import fc from 'fast-check'
import type { Image } from '../../src/image/image-store.ts'
import { type ImageRecord, Records } from '../../src/image/records.ts'
import { openLedger } from '../../src/ledger/index.ts'
import type { Ledger, Operation } from '../../src/ledger/ledger.ts'
import { settle } from '../support/fake-clock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const ids = ['sha256:a', 'sha256:b']

function recordOf(id: string, repoTags: string[]): ImageRecord {
  const image: Image = {
    id,
    repoTags,
    repoDigests: [],
    sizeBytes: 0,
    config: { architecture: '', os: '', config: {} },
    layers: [],
    pinned: false,
  }
  return { image, blobs: [], layerKeys: [] }
}

/** A ledger whose commits wait until they are let through, or refused. */
function gated(ledger: Ledger) {
  const waiting: { operations: readonly Operation[]; settle: (error?: Error) => void }[] = []
  return {
    waiting,
    ledger: {
      get: (key) => ledger.get(key),
      range: (range) => ledger.range(range),
      backup: (directory) => ledger.backup(directory),
      commit: (operations) =>
        new Promise<void>((resolve, reject) => {
          const through = () => ledger.commit(operations).then(resolve, reject)
          waiting.push({ operations, settle: (error) => (error ? reject(error) : void through()) })
        }),
      [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
    } satisfies Ledger,
  }
}

/** Adds a tag to an image, or takes the image away. */
function change(records: Records, id: string, tag: string | undefined): Promise<string[]> {
  return records.change((now) => {
    const before = now.images.get(id)?.image.repoTags ?? []
    if (tag === undefined) return { changes: [{ remove: 'image', key: id }], result: before }
    return {
      changes: [{ put: 'image', key: id, record: recordOf(id, [...before, tag]) }],
      result: before,
    }
  })
}

const step = fc.record({
  id: fc.constantFrom(...ids),
  remove: fc.boolean(),
  refused: fc.boolean(),
})
const turn = fc.array(step, { minLength: 1, maxLength: 5 })

test('whatever comes at once is as if it had come one after the other, in memory as in the ledger', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 5 }), async (turns) => {
      await using folder = await temporaryDirectory()
      const gate = gated(await openLedger({ path: folder.path, mapSizeBytes: 2 ** 24 }))
      const model = new Map<string, string[]>()
      let count = 0
      {
        await using records = new Records(gate.ledger)
        for (const steps of turns) {
          // The first is at the ledger while the others come: they share the next commit.
          const asked = steps.map(({ id, remove }) => ({ id, tag: remove ? undefined : `t${count++}` }))
          const outcomes = asked.map(({ id, tag }) => change(records, id, tag).catch(() => undefined))
          for (const [at, group] of [asked.slice(0, 1), asked.slice(1)].entries()) {
            if (group.length === 0) continue
            const refused = steps[at]?.refused
            const commit = await next(gate.waiting)
            t.deepEqual(tagsIn(records), Object.fromEntries(model), 'seen only once it is durable')
            if (!refused) for (const { id, tag } of group) model.set(...after(model, id, tag))
            for (const [id, tags] of model) if (tags.length === 0) model.delete(id)
            commit.settle(refused ? new Error('the disk is full') : undefined)
          }
          await Promise.all(outcomes)
          t.deepEqual(tagsIn(records), Object.fromEntries(model))
        }
      }
      await using again = new Records(await openLedger({ path: folder.path, mapSizeBytes: 2 ** 24 }))
      t.deepEqual(tagsIn(again), Object.fromEntries(model))
    }),
    { numRuns: 12 },
  )
})

function after(model: Map<string, string[]>, id: string, tag: string | undefined): [string, string[]] {
  return [id, tag === undefined ? [] : [...(model.get(id) ?? []), tag]]
}

const tagsIn = ({ images }: Records) =>
  Object.fromEntries([...images].map(([id, { image }]) => [id, image.repoTags]))

async function next<T>(queue: T[]): Promise<T> {
  for (;;) {
    const one = queue.shift()
    if (one !== undefined) return one
    await settle()
  }
}

test('one that cannot be built is told so alone; closing waits for what was begun', async (t) => {
  await using folder = await temporaryDirectory()
  const gate = gated(await openLedger({ path: folder.path, mapSizeBytes: 2 ** 24 }))
  const records = new Records(gate.ledger)
  const first = change(records, 'sha256:a', 'one')
  const bad = records.change(() => {
    throw new Error('not here')
  })
  const last = change(records, 'sha256:a', 'two')
  const closed = records[Symbol.asyncDispose]()
  ;(await next(gate.waiting)).settle()
  await t.throwsAsync(bad, { message: 'not here' })
  ;(await next(gate.waiting)).settle()
  t.deepEqual([await first, await last], [[], ['one']])
  await closed
  const late = change(records, 'sha256:a', 'three')
  ;(await next(gate.waiting)).settle()
  await t.throwsAsync(late, { code: 'FAILED_PRECONDITION' })
})
