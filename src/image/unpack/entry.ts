import { KeelsonError } from '../../base/index.ts'
import type { Attributes, SpecialFile, Xattr } from '../../kernel/index.ts'
import { readPaxSparse, type Sparse } from './sparse.ts'

/** What tar-stream says of a member; strings are bytes (latin1). */
export interface Header {
  name: string
  linkname?: string | null
  type?: string | null
  mode?: number
  uid?: number
  gid?: number
  size?: number
  mtime?: Date
  devmajor?: number
  devminor?: number
  pax?: Record<string, string> | null
  /** Of a member of the old GNU sparse format. */
  sparse?: Sparse
}

/** One member of a layer, checked: paths are relative, without `.`, `..` and empty names. '' is the layer's root. */
export type Entry = { path: string; attributes: Attributes; ignoredXattrs: number } & (
  | { kind: 'file'; sparse?: Sparse }
  | { kind: 'directory' }
  | { kind: 'symlink'; target: string }
  | { kind: 'link'; target: string }
  | { kind: 'node'; node: SpecialFile }
  | { kind: 'whiteout' | 'opaque' | 'ignored' }
)

const whiteoutPrefix = '.wh.'
const opaqueName = '.wh..wh..opq'

/**
 * Checks a member of a layer archive and says what it means (image-spec layer.md). INVALID_ARGUMENT for what no
 * honest archive has: paths with `..`, a root that is no directory, whiteouts of nothing.
 */
export function readEntry(header: Header): Entry {
  const pax = header.pax ?? {}
  const path = cleanPath(pax['GNU.sparse.name'] ?? header.name, header.name)
  if (isMinusOne(header.size)) refuse(header.name, 'a size below zero')
  const { xattrs, ignored } = readXattrs(pax)
  const base = { path, attributes: readAttributes(header, pax, xattrs), ignoredXattrs: ignored }
  if (path === '' && header.type !== 'directory')
    refuse(header.name, 'the root of a layer must be a directory')
  return { ...base, ...(readWhiteout(path, header.name) ?? readKind(header, pax)) }
}

type Kind = Entry extends infer Each ? (Each extends unknown ? Omit<Each, keyof Base> : never) : never
type Base = { path: string; attributes: Attributes; ignoredXattrs: number }

function readKind(header: Header, pax: Record<string, string>): Kind {
  switch (header.type) {
    case 'file':
    case 'contiguous-file': {
      const sparse = header.sparse ?? readPaxSparse(pax)
      return { kind: 'file', ...(sparse && { sparse }) }
    }
    case 'directory':
      return { kind: 'directory' }
    case 'symlink':
      return { kind: 'symlink', target: linkTarget(header) }
    case 'link': {
      const target = cleanPath(linkTarget(header), header.name)
      if (target === '') refuse(header.name, 'a hard link to the root')
      return { kind: 'link', target }
    }
    case 'fifo':
      return { kind: 'node', node: { type: 'fifo', major: 0, minor: 0 } }
    case 'character-device':
    case 'block-device':
      return readDevice(header)
    default:
      return refuse(header.name, 'an archive member of unknown type')
  }
}

// The devices that every container gets anyway (runtime-spec config-linux.md, "Default Devices").
const allowedDevices = new Set(['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:1', '5:2'])

/** Other devices are left out: a container may not open them, and 0:0 would be a whiteout under another name. */
function readDevice({ type, devmajor: major = 0, devminor: minor = 0 }: Header): Kind {
  if (type !== 'character-device' || !allowedDevices.has(`${major}:${minor}`)) return { kind: 'ignored' }
  return { kind: 'node', node: { type: 'character', major, minor } }
}

/** `path` of a whiteout still ends in the marker's name; see hiddenPath. */
function readWhiteout(path: string, name: string): Kind | undefined {
  const last = path.slice(path.lastIndexOf('/') + 1)
  if (!last.startsWith(whiteoutPrefix)) return undefined
  if (last === opaqueName) return { kind: 'opaque' }
  // AUFS's own bookkeeping (.wh..wh.plnk and the like) says nothing about the image.
  if (last.startsWith(`${whiteoutPrefix}${whiteoutPrefix}`)) return { kind: 'ignored' }
  const hidden = last.slice(whiteoutPrefix.length)
  if (hidden === '' || hidden === '.' || hidden === '..') refuse(name, 'a whiteout that names nothing')
  return { kind: 'whiteout' }
}

/** What a whiteout hides, or the directory that an opaque marker stands in. */
export function hiddenPath(entry: Entry): string {
  const slash = entry.path.lastIndexOf('/') + 1
  if (entry.kind === 'opaque') return entry.path.slice(0, Math.max(0, slash - 1))
  return entry.path.slice(0, slash) + entry.path.slice(slash + whiteoutPrefix.length)
}

/** Absolute paths are taken from the root of the layer, as every tar does. */
function cleanPath(path: string, name: string): string {
  if (path.includes('\0')) refuse(name, 'a path with a NUL byte')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) refuse(name, 'a path with ".."')
  return parts.join('/')
}

function linkTarget({ name, linkname }: Header): string {
  if (!linkname) refuse(name, 'a link without a target')
  if (linkname.includes('\0')) refuse(name, 'a link target with a NUL byte')
  return linkname
}

/** tar-stream takes one off the negative numbers of base 256, which it reads as a complement of ones: -1 is -0. */
function isMinusOne(read: number | undefined): boolean {
  return Object.is(read, -0)
}

const maxId = 2 ** 32 - 2 // -1 would mean "leave as it is" to chown

function readAttributes(header: Header, pax: Record<string, string>, xattrs: Xattr[]): Attributes {
  const uid = pax['uid'] === undefined ? (header.uid ?? 0) : Number(pax['uid'])
  const gid = pax['gid'] === undefined ? (header.gid ?? 0) : Number(pax['gid'])
  for (const id of [uid, gid])
    if (!Number.isInteger(id) || id < 0 || id > maxId || isMinusOne(id))
      refuse(header.name, `owner ${id} is out of range`)
  const { seconds, nanoseconds } = readTime(header, pax['mtime'])
  return {
    mode: (header.mode ?? 0) & 0o7777,
    uid,
    gid,
    mtimeSeconds: seconds,
    mtimeNanoseconds: nanoseconds,
    ...(xattrs.length > 0 && { xattrs }),
  }
}

/** pax times are decimal seconds with a fraction; a Date has lost the fraction. Nonsense is the epoch. */
function readTime(header: Header, pax: string | undefined): { seconds: number; nanoseconds: number } {
  const match = /^(-?\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(pax ?? '')
  const seconds = match ? Number(match[1]) : Math.trunc((header.mtime?.getTime() ?? 0) / 1000)
  const fraction = Number((match?.[2] ?? '').padEnd(9, '0'))
  if (!Number.isFinite(seconds) || Math.abs(seconds) > 2 ** 40) return { seconds: 0, nanoseconds: 0 }
  // -1.5 s is second -2 and half a second more: nanoseconds count upwards.
  if (match?.[1]?.startsWith('-') && fraction > 0)
    return { seconds: seconds - 1, nanoseconds: 1e9 - fraction }
  return { seconds, nanoseconds: fraction }
}

const xattrPrefix = 'SCHILY.xattr.'

/** Only what an image may carry: file capabilities and user attributes, never the overlay's own marks. */
function readXattrs(pax: Record<string, string>): { xattrs: Xattr[]; ignored: number } {
  const xattrs: Xattr[] = []
  let ignored = 0
  for (const [key, value] of Object.entries(pax)) {
    if (!key.startsWith(xattrPrefix)) continue
    const name = key.slice(xattrPrefix.length)
    const allowed = name === 'security.capability' || /^user\.(?!overlay\.)./.test(name)
    if (allowed && !name.includes('\0')) xattrs.push({ name, value: Buffer.from(value, 'latin1') })
    else ignored += 1
  }
  return { xattrs, ignored }
}

function refuse(name: string, why: string): never {
  throw new KeelsonError('INVALID_ARGUMENT', `the archive member ${show(name)} is refused: ${why}`, {
    hint: 'the image is broken or hostile: do not use it',
  })
}

function show(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8').slice(0, 200))
}
