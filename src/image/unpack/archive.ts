import { writeSync } from 'node:fs'
import { Tree } from '../../kernel/index.ts'
import { DigestMeter } from '../digest.ts'
import { Costs } from './costs.ts'
import { decompressed } from './decompress.ts'
import { type Entry, type Header, readEntry } from './entry.ts'
import type { Unpacked } from './layer.ts'
import { ByteCount, metered, requireShallow, type UnpackLimits } from './limits.ts'
import { type MemberSink, readMembers } from './members.ts'

const attributes = { mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0 }

/**
 * Unpacks an image archive (a tar that holds layers and JSON, not a layer): files, directories and links of the
 * archive's own names, owned by us; anything else is left out. Same safety as a layer.
 */
export async function unpackArchive(
  source: AsyncIterable<Buffer>,
  directory: string,
  limits: UnpackLimits,
): Promise<Unpacked> {
  const costs = new Costs(limits)
  using tree = new Tree(directory, () => costs.entry())
  const meter = new DigestMeter()
  const compressed = new ByteCount()
  let entries = 0
  await readMembers(metered(decompressed(compressed.of(source)), meter, limits, compressed), {
    begin(header: Header): MemberSink | undefined {
      entries += 1
      costs.entry(header.size)
      const entry = readEntry(header)
      requireShallow(entry.path, limits)
      return place(tree, entry)
    },
  })
  return {
    diffId: meter.digest(),
    entries,
    impliedDirectories: [],
    describesRoot: false,
    ignoredDevices: 0,
    ignoredXattrs: 0,
  }
}

function place(tree: Tree, entry: Entry): MemberSink | undefined {
  const path = Buffer.from(entry.path, 'latin1')
  if (entry.kind === 'directory') tree.makeDirectory(path, { ...attributes, mode: 0o700 })
  else if (entry.kind === 'symlink') tree.symlink(path, Buffer.from(entry.target, 'latin1'), attributes)
  else if (entry.kind === 'link') tree.link(path, Buffer.from(entry.target, 'latin1'))
  if (entry.kind !== 'file') return undefined
  const file = tree.createFile(path)
  return {
    write(chunk) {
      for (let at = 0; at < chunk.length; ) at += writeSync(file.fd, chunk, at)
    },
    end() {},
    [Symbol.dispose]: () => file[Symbol.dispose](),
  }
}
