import test from 'ava'
import fc from 'fast-check'
import { KeelsonError } from '../../../src/base/index.ts'
import { hiddenPath, readEntry } from '../../../src/image/unpack/entry.ts'
import { parsePax } from '../../../src/image/unpack/pax.ts'
import { paxRecord } from '../../support/archive.ts'

const name = fc
  .array(
    fc.constantFrom('a', '..', '.', '', '.wh.', '.wh.a', '.wh..wh..opq', '.wh...', '/', '\0', 'é', '\xff'),
    { maxLength: 5 },
  )
  .map((parts) => parts.join('/'))
const header = fc.record({
  name,
  linkname: fc.oneof(name, fc.constant(null)),
  type: fc.constantFrom(
    'file',
    'directory',
    'link',
    'symlink',
    'character-device',
    'block-device',
    'fifo',
    'contiguous-file',
    null,
  ),
  mode: fc.integer(),
  uid: fc.integer({ min: -2, max: 2 ** 33 }),
  gid: fc.nat(2 ** 21),
  mtime: fc.date({ noInvalidDate: false }),
  devmajor: fc.nat(10),
  devminor: fc.nat(10),
  pax: fc.dictionary(
    fc.constantFrom('mtime', 'uid', 'SCHILY.xattr.user.x', 'SCHILY.xattr.trusted.overlay.opaque', 'x'),
    fc.string(),
  ),
})

const isClean = (path: string) =>
  !path.startsWith('/') && !path.includes('\0') && !path.split('/').some((part) => ['.', '..'].includes(part))

test('whatever a header says, it is refused in our words or leads to a clean relative path', (t) => {
  fc.assert(
    fc.property(header, (one) => {
      try {
        const entry = readEntry(one)
        t.true(isClean(entry.path), entry.path)
        if (entry.kind === 'whiteout' || entry.kind === 'opaque') t.true(isClean(hiddenPath(entry)))
        if (entry.kind === 'whiteout') t.not(hiddenPath(entry), '')
        if (entry.kind === 'link') t.true(isClean(entry.target) && entry.target !== '')
        if (entry.path === '') t.is(entry.kind, 'directory')
        const { mode, uid, mtimeSeconds, mtimeNanoseconds, xattrs = [] } = entry.attributes
        t.true(mode >= 0 && mode <= 0o7777)
        t.true(uid >= 0 && uid < 2 ** 32 - 1)
        t.true(Number.isSafeInteger(mtimeSeconds) && mtimeNanoseconds >= 0 && mtimeNanoseconds < 1e9)
        t.false(xattrs.some((xattr) => xattr.name.includes('overlay')))
      } catch (error) {
        if (!(error instanceof KeelsonError)) throw error
      }
    }),
    { numRuns: 3000 },
  )
})

test('times before 1970 and with fractions keep their order', (t) => {
  const time = (mtime: string) => {
    const { mtimeSeconds, mtimeNanoseconds } = readEntry({
      name: 'a',
      type: 'file',
      pax: { mtime },
    }).attributes
    return [mtimeSeconds, mtimeNanoseconds]
  }
  t.deepEqual(time('1.5'), [1, 500_000_000])
  t.deepEqual(time('-1.5'), [-2, 500_000_000])
  t.deepEqual(time('-1'), [-1, 0])
  t.deepEqual(time('7.1234567891'), [7, 123_456_789])
  t.deepEqual(time('nonsense'), [0, 0])
})

test('pax records are read as they were written, byte for byte', (t) => {
  const key = fc.stringMatching(/^[A-Za-z.]{1,20}$/).filter((text) => text !== '__proto__')
  const record = fc.tuple(key, fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(fc.uniqueArray(record, { selector: ([one]) => one, maxLength: 5 }), (records) => {
      const bytes = Buffer.concat(records.map(([one, value]) => paxRecord(one, Buffer.from(value))))
      const wanted = records.map(([one, value]) => [one, Buffer.from(value).toString('latin1')])
      t.deepEqual({ ...parsePax(bytes) }, Object.fromEntries(wanted))
    }),
  )
})

test('pax bytes of any kind are read or refused, never looped over', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        parsePax(Buffer.from(bytes))
      } catch (error) {
        t.is((error as KeelsonError).code, 'INVALID_ARGUMENT')
      }
    }),
  )
})
