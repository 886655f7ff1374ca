/** What people call an image by: ids of every algorithm whole and cut short, and names. */
import test from 'ava'
import fc from 'fast-check'
import { digestOf } from '../../src/image/digest.ts'
import { findImage } from '../../src/image/names.ts'
import type { ImageRecord } from '../../src/image/records.ts'

const recordOf = (id: string, repoTags: string[] = []) =>
  ({ image: { id, repoTags, repoDigests: [] }, blobs: [], layerKeys: [] }) as unknown as ImageRecord

const id = fc
  .record({ algorithm: fc.constantFrom('sha256', 'sha512'), seed: fc.nat(1000) })
  .map(({ algorithm, seed }) => digestOf(Buffer.from(String(seed)), algorithm))

test('an id is found whole, without its algorithm, and by what only it begins with', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(id, { minLength: 1, maxLength: 8 }), fc.nat(130), (ids, length) => {
      const records = ids.map((one) => recordOf(one))
      const own = ids[0] ?? ''
      const hex = own.slice(7)
      t.is(findImage(records, own)?.id, own)
      t.is(findImage(records, hex)?.id, own)
      for (const part of [own.slice(0, 8 + length), hex.slice(0, 1 + length)]) {
        const fits = ids.filter((one) => one.startsWith(part) || one.slice(7).startsWith(part))
        t.is(findImage(records, part)?.id, fits.length === 1 ? own : undefined, part)
      }
    }),
  )
})

test('nothing, and what begins no id, finds nothing; a name goes before the beginning of an id', (t) => {
  const whole = digestOf(Buffer.from('x'))
  const records = [recordOf(whole), recordOf('sha512:'.padEnd(135, 'e'), ['docker.io/library/abc:latest'])]
  for (const text of ['', 'sha256:', 'sha512', ':', 'xyz', 'sha256:zz'])
    t.is(findImage(records, text), undefined, text)
  t.is(findImage(records, 'abc')?.id.slice(0, 7), 'sha512:')
})
