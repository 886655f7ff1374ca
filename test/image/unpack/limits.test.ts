/** What an archive may cost: bytes, entries, depth, and bytes for each compressed one. */
import test from 'ava'
import { DigestMeter } from '../../../src/image/digest.ts'
import { decompressed } from '../../../src/image/unpack/decompress.ts'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import {
  ByteCount,
  defaultUnpackLimits,
  metered,
  requireShallow,
  type UnpackLimits,
} from '../../../src/image/unpack/limits.ts'
import { gzip, symlink, tar } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const limits: UnpackLimits = { maxBytes: 2 ** 30, maxEntries: 10, maxDepth: 3, maxRatio: 0 }

/** Bytes that come out of a gzip of these; in chunks, as a download brings them. */
async function bytesOf(content: Buffer, more: Partial<UnpackLimits>): Promise<number> {
  const archive = gzip(content)
  async function* source() {
    for (let at = 0; at < archive.length; at += 4096) yield archive.subarray(at, at + 4096)
  }
  const [meter, compressed] = [new DigestMeter(), new ByteCount()]
  const all = metered(decompressed(compressed.of(source())), meter, { ...limits, ...more }, compressed)
  for await (const _chunk of all);
  return meter.bytes
}

test('a layer that grows beyond its ratio is given up, a small one and an honest one are not', async (t) => {
  const [zeros, small] = [Buffer.alloc(80 * 2 ** 20), Buffer.alloc(2 ** 20)]
  t.is(await bytesOf(zeros, {}), zeros.length)
  t.is(await bytesOf(zeros, { maxRatio: 2000 }), zeros.length)
  t.is(await bytesOf(small, { maxRatio: 2 }), small.length)
  await t.throwsAsync(bytesOf(zeros, { maxRatio: 200 }), {
    code: 'RESOURCE_EXHAUSTED',
    message: 'the archive has more than 200 bytes for each compressed one',
  })
  await t.throwsAsync(bytesOf(small, { maxBytes: 1000 }), { code: 'RESOURCE_EXHAUSTED' })
})

test('a path has at most so many names', (t) => {
  for (const fine of ['', 'a', 'a/b/c', 'long/names/here']) t.notThrows(() => requireShallow(fine, limits))
  t.throws(() => requireShallow('a/b/c/d', limits), {
    code: 'RESOURCE_EXHAUSTED',
    message: 'the archive has a path of more than 3 names',
  })
  t.notThrows(() => requireShallow(Array(1024).fill('d').join('/'), defaultUnpackLimits))
  t.throws(() => requireShallow(Array(1025).fill('d').join('/'), defaultUnpackLimits))
})

rootTest('too many entries or bytes (a bomb) end the layer', async (t) => {
  await using folder = await temporaryDirectory()
  const few = { ...limits, maxBytes: 2 ** 20 }
  const unpack = (bytes: Buffer) => unpackLayer(once(bytes), folder.path, few)
  await t.throwsAsync(unpack(gzip(Buffer.alloc(8 * 2 ** 20))), { code: 'RESOURCE_EXHAUSTED' })
  const many = await tar(...Array.from({ length: 11 }, (_, at) => symlink(`f${at}`, 'x')))
  await t.throwsAsync(unpack(many), { code: 'RESOURCE_EXHAUSTED', message: /more than 10 entries/ })
})

async function* once(bytes: Buffer) {
  yield bytes
}
