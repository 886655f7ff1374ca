import type { Xattr } from '../../kernel/index.ts'

/**
 * A member of a tar as bytes (pax, POSIX.1-2017 "pax Interchange Format"): an extended header that says everything at
 * full length, then a ustar header of what fits. tar-stream writes text where names and attributes may be any bytes.
 */
export interface TarMember {
  /** Relative; a directory without a slash at its end. */
  path: Buffer
  kind: keyof typeof typeFlags
  mode: number
  uid: number
  gid: number
  sizeBytes: number
  mtimeNs: bigint
  /** Of a link: where it leads. */
  target?: Buffer
  device?: { major: number; minor: number }
  xattrs?: readonly Xattr[]
}

const typeFlags = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

export const tarBlockBytes = 512
/** Two blocks of zeros. */
export const tarEnd = Buffer.alloc(2 * tarBlockBytes)

export function tarHeader(member: TarMember): Buffer {
  const records = paxRecords(member)
  const extended = ustar({ ...member, path: Buffer.from('PaxHeader'), sizeBytes: records.length }, 'x')
  return Buffer.concat([extended, records, tarPadding(records.length), ustar(member, typeFlags[member.kind])])
}

/** What fills the last block of so many bytes. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes)
}

function paxRecords({ path, target, uid, gid, sizeBytes, mtimeNs, xattrs = [] }: TarMember): Buffer {
  return Buffer.concat([
    record('path', path),
    ...(target ? [record('linkpath', target)] : []),
    record('uid', Buffer.from(String(uid))),
    record('gid', Buffer.from(String(gid))),
    record('size', Buffer.from(String(sizeBytes))),
    record('mtime', Buffer.from(seconds(mtimeNs))),
    ...xattrs.map(({ name, value }) => record(`SCHILY.xattr.${name}`, value)),
  ])
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  const digits = (length: number): number => {
    const whole = rest.length + String(length).length
    return whole === length ? length : digits(whole)
  }
  return Buffer.concat([Buffer.from(String(digits(rest.length))), rest])
}

function seconds(ns: bigint): string {
  const whole = ns < 0n ? 0n : ns
  return `${whole / 1_000_000_000n}.${String(whole % 1_000_000_000n).padStart(9, '0')}`
}

function ustar(member: TarMember, type: string): Buffer {
  const { path, target, mode, uid, gid, sizeBytes, mtimeNs, device } = member
  const block = Buffer.alloc(tarBlockBytes)
  path.copy(block, 0, 0, 99)
  octal(block, 100, 8, mode & 0o7777)
  octal(block, 108, 8, uid)
  octal(block, 116, 8, gid)
  octal(block, 124, 12, sizeBytes)
  octal(block, 136, 12, Number(mtimeNs / 1_000_000_000n))
  block.fill(' ', 148, 156)
  block.write(type, 156)
  target?.copy(block, 157, 0, 99)
  block.write('ustar\0' + '00', 257, 'latin1')
  octal(block, 329, 8, device?.major ?? 0)
  octal(block, 337, 8, device?.minor ?? 0)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** What does not fit is said by the extended header alone. */
function octal(block: Buffer, at: number, bytes: number, value: number): void {
  const digits = Math.max(0, value).toString(8)
  block.write((digits.length < bytes ? digits : '0').padStart(bytes - 1, '0'), at, 'latin1')
}
