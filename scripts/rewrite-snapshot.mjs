/**
 * A start-up snapshot as node writes it (SnapshotData of node 20), changed in two places. Little endian:
 *
 *     magic 4 · type 1 · node's version · architecture · platform       each text: length 8, bytes
 *     version tag 4                       a hash of V8's version and options: node refuses a snapshot of others
 *     …                                   the heap, and what node knows of it
 *     count 8                             then for each module of node: length 8, name, length 8, compiled code
 *
 * The compiled code of all of node's modules is 2.8 MB that each start reads and copies, for modules that are in the
 * heap already; without it those few that are not are compiled from their source. The tag becomes that of the options
 * which the snapshot is used with: some of them must not hold while it is built.
 */
const magic = 0x0143da19
const modulesMost = 2000
const nameBytesMost = 200

/** @param {Buffer} blob @param {number} versionTag */
export function rewriteSnapshot(blob, versionTag) {
  if (blob.readUInt32LE(0) !== magic) throw new Error('the snapshot is of an unknown form')
  const tagAt = Array.from({ length: 3 }).reduce((at) => at + 8 + lengthAt(blob, at), 5)
  const codeAt = findCode(blob, tagAt)
  const rewritten = Buffer.concat([blob.subarray(0, codeAt), Buffer.alloc(8)])
  rewritten.writeUInt32LE(versionTag, tagAt)
  return rewritten
}

/** Nothing says where the list begins, but it ends where the file does, and no other place begins one. */
function findCode(blob, from) {
  const found = []
  for (let at = from; at + 8 < blob.length; at++) if (isListAt(blob, at)) found.push(at)
  if (found.length === 1) return found[0]
  throw new Error(`the snapshot has ${found.length} lists of compiled modules`)
}

function isListAt(blob, listAt) {
  const count = lengthAt(blob, listAt)
  if (count === 0 || count > modulesMost) return false
  let at = listAt + 8
  for (let index = 0; index < count; index++) {
    const nameBytes = lengthAt(blob, at)
    if (nameBytes === 0 || nameBytes > nameBytesMost) return false
    at += 8 + nameBytes
    at += 8 + lengthAt(blob, at)
    if (at > blob.length) return false
  }
  return at === blob.length
}

function lengthAt(blob, at) {
  if (at < 0 || at + 8 > blob.length) return Number.POSITIVE_INFINITY
  return blob.readUInt32LE(at) + blob.readUInt32LE(at + 4) * 2 ** 32
}
