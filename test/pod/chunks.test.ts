import test from 'ava'
import fc from 'fast-check'
import { inChunks } from '../../src/pod/chunks.ts'

const codec = { encode: (item: string) => ({ finish: () => Buffer.from(item) }) }

async function chunksOf(items: Iterable<string>, bounds?: { items: number; bytes: number }) {
  const found: string[][] = []
  for await (const chunk of inChunks(items, codec, bounds)) found.push(chunk)
  return found
}

test('each item once and in order, no piece empty, bounded in items and bytes', async (t) => {
  const bounds = { items: 4, bytes: 10 }
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ maxLength: 12, unit: 'grapheme-ascii' })), async (items) => {
      const chunks = await chunksOf(items, bounds)
      t.deepEqual(chunks.flat(), items)
      for (const chunk of chunks) {
        t.true(chunk.length > 0 && chunk.length <= bounds.items)
        t.true(chunk.length === 1 || chunk.join('').length <= bounds.bytes)
      }
    }),
  )
})

test('by default pieces stay far below the 16 MiB that a client takes', async (t) => {
  const chunks = await chunksOf(Array.from({ length: 40 }, () => 'x'.repeat(1 << 20)))
  t.is(chunks.length, 10)
  t.is((await chunksOf(Array.from({ length: 1200 }, () => 'x'))).length, 3)
})
