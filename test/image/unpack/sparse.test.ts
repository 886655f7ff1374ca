/** Sparse members as GNU tar writes them, in each of its four formats, and maps that no honest tar writes. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { unpackLayer } from '../../../src/image/unpack/layer.ts'
import {
  type Part,
  pairs,
  readOldNumber,
  readPaxSparse,
  SparseWriter,
} from '../../../src/image/unpack/sparse.ts'
import { paxRecord, rawMember } from '../../support/archive.ts'
import { rootTest } from '../../support/root.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const limits = { maxBytes: 2 ** 30, maxEntries: 100, maxDepth: 1024, maxRatio: 0 }

async function* chunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** `count` parts with holes between, and one at the end. */
function sparseFile(path: string, count: number): void {
  const fd = openSync(path, 'w')
  for (let at = 0; at < count; at++) writeSync(fd, `part ${at}`, at * 200_000)
  ftruncateSync(fd, count * 200_000)
  closeSync(fd)
}

const formats = {
  'old GNU': ['--format=gnu'],
  'PAX 0.0': ['--format=posix', '--sparse-version=0.0'],
  'PAX 0.1': ['--format=posix', '--sparse-version=0.1'],
  'PAX 1.0': ['--format=posix', '--sparse-version=1.0'],
}

for (const [title, flags] of Object.entries(formats))
  rootTest(`a sparse file of the format ${title}, with few parts and with many`, async (t) => {
    await using folder = await temporaryDirectory()
    mkdirSync(join(folder.path, 'in'))
    for (const count of [1, 4, 5, 60]) sparseFile(join(folder.path, 'in', `f${count}`), count)
    const archive = execFileSync('tar', ['-C', join(folder.path, 'in'), '-c', '--sparse', ...flags, '.'])
    t.true(archive.length < 2_000_000, 'holes are left out')
    for (const size of [7, 512, 65_536]) {
      const out = join(folder.path, `out${size}`)
      mkdirSync(out)
      await unpackLayer(chunks(archive, size), out, limits)
      for (const count of [1, 4, 5, 60]) {
        const path = join(out, `f${count}`)
        t.true(
          readFileSync(path).equals(readFileSync(join(folder.path, 'in', `f${count}`))),
          `${size}: ${count}`,
        )
        t.true(statSync(path).blocks * 512 < (count * 200_000) / 2 + 8192, 'holes are holes again')
      }
    }
  })

const hostile: Record<string, { records: Record<string, string>; data?: string; code?: string }> = {
  'huge sparse': {
    records: { 'GNU.sparse.size': '9000000000000000', 'GNU.sparse.map': '' },
    code: 'RESOURCE_EXHAUSTED',
  },
  'a size that is no number': { records: { 'GNU.sparse.realsize': '1e9', 'GNU.sparse.map': '' } },
  'parts that overlap': {
    records: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,4,2,4' },
    data: '12345678',
  },
  'a part behind the end': { records: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '8,4' }, data: '1234' },
  'more data than the map': { records: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,2' }, data: '1234' },
  'less data than the map': { records: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,4' }, data: '12' },
  'a map of odd length': { records: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,4,5' }, data: '1234' },
  'a name that leads out': {
    records: { 'GNU.sparse.size': '0', 'GNU.sparse.map': '', 'GNU.sparse.name': '../outside' },
  },
  'a map in the data without an end': {
    records: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' },
    data: '1000\n1\n1\n',
  },
  'a map in the data that is no number': {
    records: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' },
    data: 'x\n1\n1\n',
  },
}

for (const [title, { records, data = '', code = 'INVALID_ARGUMENT' }] of Object.entries(hostile))
  rootTest(`hostile: ${title}`, async (t) => {
    await using folder = await temporaryDirectory()
    const header = Object.entries(records).map(([key, value]) => paxRecord(key, value))
    const archive = Buffer.concat([
      rawMember('x', 'h', Buffer.concat(header)),
      rawMember('0', 'f', Buffer.from(data)),
      Buffer.alloc(1024),
    ])
    await t.throwsAsync(unpackLayer(chunks(archive, 65_536), folder.path, limits), { code })
  })

test('any map is written as it says, or refused; in any pieces', async (t) => {
  await using folder = await temporaryDirectory()
  const path = join(folder.path, 'file')
  const numbers = fc.array(fc.nat(40), { maxLength: 12 })
  fc.assert(
    fc.property(numbers, fc.nat(200), fc.integer({ min: 1, max: 9 }), (list, realBytes, size) => {
      const map = list.length % 2 === 0 ? pairs(list) : undefined
      if (!map) return
      const data = Buffer.alloc(
        map.reduce((sum, { bytes }) => sum + bytes, 0),
        'x',
      )
      const fd = openSync(path, 'w')
      try {
        const writer = new SparseWriter(fd, { realBytes, map })
        for (let at = 0; at < data.length; at += size) writer.write(data.subarray(at, at + size))
        writer.end()
        t.true(readFileSync(path).equals(expected(map, realBytes)))
      } catch (error) {
        t.true(error instanceof Error && 'code' in error && error.code === 'INVALID_ARGUMENT')
      } finally {
        closeSync(fd)
      }
    }),
  )
})

test('numbers of the old format: octal, base-256, nonsense', (t) => {
  t.is(readOldNumber(Buffer.from('00000000017\0'), 0), 15)
  const large = Buffer.alloc(12)
  large[0] = 0x80
  large.writeUIntBE(2 ** 40, 6, 6)
  t.is(readOldNumber(large, 0), 2 ** 40)
  t.throws(() => readOldNumber(Buffer.from('9zzzzzzzzzzz'), 0))
  t.is(readPaxSparse({}), undefined)
})

function expected(map: readonly Part[], realBytes: number): Buffer {
  const content = Buffer.alloc(realBytes)
  for (const { offset, bytes } of map) content.fill('x', offset, offset + bytes)
  return content
}
