import type { BigIntStats } from 'node:fs'
import { constants, lstat, open, readdir, readlink } from 'node:fs/promises'
import { KeelsonError } from '../../base/index.ts'
import { readXattrs, type Xattr } from '../../kernel/index.ts'
import { type TarMember, tarEnd, tarHeader, tarPadding } from './tar-member.ts'

/**
 * What a container wrote, as a layer archive (image-spec layer.md): the content of its overlay's upper directory, with
 * whiteouts and opaque markers in the form that archives have. Nobody may write to it meanwhile. The order is that of
 * names, so the same directory makes the same bytes.
 */
export async function* changesOf(upper: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const walk: Walk = { seen: new Map(), signal }
  yield* directory(walk, Buffer.from(upper), Buffer.alloc(0))
  yield tarEnd
}

interface Walk {
  /** The first name of every file that has more than one. */
  seen: Map<string, Buffer>
  signal: AbortSignal | undefined
}

async function* directory(walk: Walk, place: Buffer, path: Buffer): AsyncGenerator<Buffer> {
  walk.signal?.throwIfAborted()
  const xattrs = readXattrs(place)
  refuseRedirects(place, xattrs)
  const stat = await lstat(place, { bigint: true })
  const shown = path.length === 0 ? Buffer.from('.') : path
  yield tarHeader({ ...looks(stat, xattrs), path: shown, kind: 'directory' })
  if (xattrs.some(({ name, value }) => name === 'trusted.overlay.opaque' && value.toString() === 'y'))
    yield marker(below(path, Buffer.from('.wh..wh..opq')))
  const names = await readdir(place, { encoding: 'buffer' })
  for (const name of names.toSorted(Buffer.compare)) yield* entry(walk, below(place, name), path, name)
}

async function* entry(walk: Walk, place: Buffer, parent: Buffer, name: Buffer): AsyncGenerator<Buffer> {
  const stat = await lstat(place, { bigint: true })
  const path = below(parent, name)
  if (stat.isDirectory()) return yield* directory(walk, place, path)
  if (stat.isCharacterDevice() && stat.rdev === 0n)
    return yield marker(below(parent, Buffer.concat([Buffer.from('.wh.'), name])))
  if (stat.isSocket()) return // belongs to a process, and means nothing without it
  const first = walk.seen.get(`${stat.dev}:${stat.ino}`)
  if (first) return yield tarHeader({ ...looks(stat, []), path, kind: 'link', target: first })
  if (stat.nlink > 1n) walk.seen.set(`${stat.dev}:${stat.ino}`, path)
  if (stat.isFile()) return yield* file(walk, place, path, stat)
  yield tarHeader({ ...looks(stat, []), path, ...(await special(place, stat)) })
}

async function* file(walk: Walk, place: Buffer, path: Buffer, stat: BigIntStats): AsyncGenerator<Buffer> {
  const xattrs = readXattrs(place)
  refuseRedirects(place, xattrs)
  const sizeBytes = Number(stat.size)
  yield tarHeader({ ...looks(stat, xattrs), path, kind: 'file', sizeBytes })
  await using handle = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW)
  let left = sizeBytes
  while (left > 0) {
    walk.signal?.throwIfAborted()
    const chunk = Buffer.allocUnsafe(Math.min(left, 256 * 1024))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length)
    if (bytesRead === 0) throw new KeelsonError('DATA_LOSS', `${place} became shorter while it was read`)
    left -= bytesRead
    yield chunk.subarray(0, bytesRead)
  }
  yield tarPadding(sizeBytes)
}

async function special(
  place: Buffer,
  stat: BigIntStats,
): Promise<Pick<TarMember, 'kind' | 'target' | 'device'>> {
  if (stat.isSymbolicLink()) return { kind: 'symlink', target: await readlink(place, { encoding: 'buffer' }) }
  if (stat.isFIFO()) return { kind: 'fifo' }
  return { kind: stat.isBlockDevice() ? 'block' : 'character', device: deviceOf(Number(stat.rdev)) }
}

/** makedev(3), for numbers of 32 bits. */
function deviceOf(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) }
}

function looks(stat: BigIntStats, xattrs: readonly Xattr[]): Omit<TarMember, 'path' | 'kind'> {
  return {
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: 0,
    mtimeNs: stat.mtimeNs,
    xattrs: xattrs.filter(({ name }) => !name.startsWith('trusted.') && !name.startsWith('user.overlay.')),
  }
}

function marker(path: Buffer): Buffer {
  return tarHeader({ mode: 0o600, uid: 0, gid: 0, sizeBytes: 0, mtimeNs: 0n, path, kind: 'file' })
}

/** Overlays of ours are mounted without these features; what others left cannot be told in an archive. */
function refuseRedirects(place: Buffer, xattrs: readonly Xattr[]): void {
  const mark = xattrs.find(({ name }) => /^trusted\.overlay\.(redirect|metacopy)$/.test(name))
  if (mark)
    throw new KeelsonError(
      'FAILED_PRECONDITION',
      `${place} has the mark ${mark.name}: its content lies elsewhere`,
    )
}

function below(parent: Buffer, name: Buffer): Buffer {
  return parent.length === 0 ? name : Buffer.concat([parent, Buffer.from('/'), name])
}
