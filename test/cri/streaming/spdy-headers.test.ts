import { setImmediate } from 'node:timers/promises'
import { constants, createDeflate, createInflate, deflateSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { spdyDictionary } from '../../../cri/streaming/spdy-dictionary.ts'
import { emptyHeaders, HeaderReader } from '../../../cri/streaming/spdy-headers.ts'
import { headerBlock } from '../../support/spdy-client.ts'

const compressed = (bytes: Buffer) =>
  deflateSync(bytes, { dictionary: spdyDictionary, finishFlush: constants.Z_SYNC_FLUSH })

test('the dictionary is the one of the draft', (t) => {
  // As every zlib stream names it: DICTID of SPDY/3.
  t.is(compressed(Buffer.from('x')).subarray(2, 6).toString('hex'), 'e3c6a7c2')
  t.is(spdyDictionary.length, 1423)
})

test('blocks of one connection share a compressor and are read in order', async (t) => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.dictionary(word, word, { maxKeys: 5 }), { maxLength: 5 }), async (all) => {
      const deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH })
      const reader = new HeaderReader()
      for (const headers of all) {
        const parts: Buffer[] = []
        deflate.on('data', (part) => parts.push(part))
        await new Promise<void>((resolve) => deflate.write(headerBlock(headers), () => resolve()))
        deflate.removeAllListeners('data')
        t.deepEqual({ ...(await reader.read(Buffer.concat(parts))) }, { ...headers })
      }
      reader.close()
      deflate.destroy()
    }),
    { numRuns: 40 },
  )
})

test('a bomb, a lie about lengths and garbage are refused', async (t) => {
  const hostile = [
    compressed(Buffer.alloc(50 << 20)),
    compressed(Buffer.from('ffffffff', 'hex')),
    compressed(Buffer.from('00000001ffffffff', 'hex')),
    compressed(Buffer.from('00', 'hex')),
    Buffer.from('not zlib at all'),
    Buffer.alloc(0),
    deflateSync(Buffer.from('another dictionary'), { dictionary: Buffer.from('another') }),
  ]
  for (const block of hostile)
    await t.throwsAsync(new HeaderReader().read(block), { code: 'INVALID_ARGUMENT' })
})

test('a reader that is closed answers whoever waits for it', async (t) => {
  const reader = new HeaderReader()
  reader.close()
  await setImmediate()
  await t.throwsAsync(reader.read(compressed(headerBlock({ a: 'b' }))), { code: 'INVALID_ARGUMENT' })
})

test('the empty block is one for every decompressor, time after time', async (t) => {
  const inflate = createInflate({ dictionary: spdyDictionary })
  const read: Buffer[] = []
  inflate.on('data', (part) => read.push(part))
  for (const block of [emptyHeaders(true), emptyHeaders(false), emptyHeaders(false)])
    await new Promise<void>((resolve) => inflate.write(block, () => resolve()))
  t.is(Buffer.concat(read).toString('hex'), '00000000'.repeat(3))
})
