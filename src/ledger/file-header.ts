import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, KeelsonError } from '../base/index.ts'

const magic = 0xbeefc0de
/** Of the magic number in each of the two meta pages with which LMDB's file begins (struct MDB_meta). */
const magicOffset = 24
/** Of the page's size, which the first meta page tells. */
const pageSizeOffset = 48
const headBytes = 64
const pageBytesMax = 65_536

/**
 * DATA_LOSS when the store's file in this directory does not begin as LMDB's do: the library would follow what is
 * there into memory that is not there, and take the process with it. A file that is missing or empty is a new store.
 */
export async function refuseForeignFile(directory: string): Promise<void> {
  const path = join(directory, 'data.mdb')
  try {
    await using file = await open(path)
    if ((await file.stat()).size === 0) return
    const page = Buffer.alloc(headBytes)
    await file.read(page, 0, headBytes, 0)
    const pageBytes = page.readUInt32LE(pageSizeOffset)
    const first = page.readUInt32LE(magicOffset)
    await file.read(page.fill(0), 0, headBytes, Math.min(pageBytes, pageBytesMax))
    if (first === magic && page.readUInt32LE(magicOffset) === magic) return
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return
    throw error
  }
  throw new KeelsonError('DATA_LOSS', `${path} is damaged, or no store of keelson's`, {
    path,
    hint: 'put a copy of the directory back, or move it away to begin anew',
  })
}
