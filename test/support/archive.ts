import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'

/** A member of an archive made for a test: a tar header and the content. */
export type Member = Partial<Header> & {
  name: string
  content?: string | Buffer
  xattrs?: Record<string, Buffer>
}

/** The bytes of a tar with these members, whatever they say; binary xattrs as pax records. */
export async function tar(...members: Member[]): Promise<Buffer> {
  const parts: Buffer[] = []
  for (const member of members) {
    const { content = '', xattrs, ...header } = member
    if (xattrs) parts.push(paxMember(xattrs))
    const one = pack()
    one.entry({ mode: 0o644, mtime: new Date(0), ...header } as Header, content)
    one.finalize()
    parts.push((await buffer(one)).subarray(0, -1024))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

export const file = (name: string, content: string | Buffer = name, more: Partial<Member> = {}): Member => ({
  name,
  content,
  ...more,
})
export const directory = (name: string, more: Partial<Member> = {}): Member => ({
  name,
  type: 'directory',
  mode: 0o755,
  ...more,
})
export const symlink = (name: string, linkname: string): Member => ({ name, type: 'symlink', linkname })
export const hardlink = (name: string, linkname: string): Member => ({ name, type: 'link', linkname })
export const device = (name: string, devmajor: number, devminor: number): Member => ({
  name,
  type: 'character-device',
  devmajor,
  devminor,
})

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export { gzipSync as gzip }

/** A raw member: for type flags, pax records, names and sizes that no packer writes. */
export function rawMember(
  typeflag: string,
  name: string,
  content: Buffer = Buffer.alloc(0),
  claimedBytes = content.length,
): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100, 'latin1')
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${claimedBytes.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write(typeflag, 156)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** One pax record: `length key=value\n`, the length counting itself. */
export function paxRecord(key: string, value: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  let length = body.length + 1
  while (String(length).length + body.length !== length) length = String(length).length + body.length
  return Buffer.concat([Buffer.from(String(length)), body])
}

function paxMember(xattrs: Record<string, Buffer>): Buffer {
  const records = Object.entries(xattrs).map(([name, value]) => paxRecord(`SCHILY.xattr.${name}`, value))
  return rawMember('x', 'PaxHeader', Buffer.concat(records))
}

export const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** One frame of raw blocks (RFC 8878): what is to be shown needs no compressor. */
export function zstd(bytes: Buffer): Buffer {
  const parts: Buffer[] = [zstdMagic, Buffer.from([0x00, 0x58])] // no content size; a window of 2 MiB
  for (let at = 0; at < bytes.length; at += 2 ** 17) {
    const block = bytes.subarray(at, at + 2 ** 17)
    const isLast = at + block.length >= bytes.length
    const header = Buffer.alloc(3)
    header.writeUIntLE((block.length << 3) | (isLast ? 1 : 0), 0, 3)
    parts.push(header, block)
  }
  return Buffer.concat(parts)
}
