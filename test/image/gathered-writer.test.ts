import type { FileHandle } from 'node:fs/promises'
import test from 'ava'
import fc from 'fast-check'
import { GatheredWriter } from '../../src/image/gathered-writer.ts'

/** A file in memory that takes only so many bytes at once, and fails when it is full. */
function fakeFile(atOnce: number, capacity = Number.POSITIVE_INFINITY) {
  let content = Buffer.alloc(0)
  let calls = 0
  const file = {
    async writev(chunks: Uint8Array[], position: number) {
      calls += 1
      await new Promise(setImmediate)
      const bytes = Buffer.concat(chunks).subarray(0, atOnce)
      if (position + bytes.length > capacity) throw new Error('full')
      content = Buffer.concat([content.subarray(0, position), bytes])
      return { bytesWritten: bytes.length, buffers: chunks }
    },
  }
  return { file: file as unknown as FileHandle, content: () => content, calls: () => calls }
}

test('whatever the chunks and however little the file takes, all arrives in order', async (t) => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 60 }), async (parts, atOnce) => {
      const { file, content } = fakeFile(atOnce)
      const grown: number[] = []
      const writer = new GatheredWriter(file, 0, (bytes) => grown.push(bytes))
      for (const part of parts) await writer.add(part)
      await writer.end()
      const whole = Buffer.concat(parts)
      t.true(grown.every((bytes, at) => bytes >= (grown[at - 1] ?? 0)))
      t.is(grown.at(-1) ?? 0, whole.length)
      return content().equals(whole)
    }),
  )
})

test('chunks that come during a write go together with the next', async (t) => {
  const { file, content, calls } = fakeFile(Number.POSITIVE_INFINITY)
  const writer = new GatheredWriter(file, 0)
  for (let i = 0; i < 100; i++) await writer.add(Buffer.from('x'))
  await writer.end()
  t.is(content().length, 100)
  t.true(calls() <= 3, String(calls()))
})

test('a write that fails is told to whoever brings more, or asks for the end', async (t) => {
  for (const many of [1, 100]) {
    const writer = new GatheredWriter(fakeFile(10, 5).file, 0)
    const bring = async () => {
      for (let i = 0; i < many; i++) {
        await writer.add(Buffer.alloc(10))
        await new Promise(setImmediate)
      }
      await writer.end()
    }
    await t.throwsAsync(bring, { message: 'full' })
    await t.throwsAsync(() => writer.end(), { message: 'full' })
  }
})
