import { Readable } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { type TarMember, tarEnd, tarHeader } from '../../../src/image/save/tar-member.ts'
import type { Header } from '../../../src/image/unpack/entry.ts'
import { readMembers } from '../../../src/image/unpack/members.ts'

const name = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))

const member: fc.Arbitrary<TarMember> = fc.record({
  path: name,
  target: name,
  kind: fc.constant('symlink' as const),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 2 }),
  sizeBytes: fc.constant(0),
  mtimeNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  xattrs: fc.array(fc.record({ name: fc.constantFrom('user.a', 'security.capability'), value: name }), {
    maxLength: 1,
  }),
})

test('any names, owners, times and attributes come back byte for byte', async (t) => {
  await fc.assert(
    fc.asyncProperty(member, async (given) => {
      const headers: Header[] = []
      const source = Readable.from([Buffer.concat([tarHeader(given), tarEnd])])
      await readMembers(source as AsyncIterable<Buffer>, { begin: (header) => void headers.push(header) })
      const [{ name: path, linkname, mode, pax } = {} as Header] = headers
      t.deepEqual(Buffer.from(path, 'latin1'), given.path)
      t.deepEqual(Buffer.from(linkname ?? '', 'latin1'), given.target)
      t.is(mode, given.mode)
      t.is(Number(pax?.['uid']), given.uid)
      t.is(Number(pax?.['gid']), given.gid)
      const [seconds = '', fraction = ''] = (pax?.['mtime'] ?? '').split('.')
      t.is(BigInt(seconds) * 1_000_000_000n + BigInt(fraction), given.mtimeNs)
      for (const { name: key, value } of given.xattrs ?? [])
        t.deepEqual(Buffer.from(pax?.[`SCHILY.xattr.${key}`] ?? '', 'latin1'), value)
    }),
    { numRuns: 200 },
  )
})
