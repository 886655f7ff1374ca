import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface WriteAtomicOptions {
  mode?: number
  /** fsync file and directory before returning; default true. */
  durable?: boolean
}

let sequence = 0

/**
 * Replaces a file whole: readers see the old bytes or the new ones, never a part, also after a crash. The new
 * name reaches the disk only with the directory's fsync, hence the order write, fsync, rename, fsync directory.
 */
export async function writeAtomic(
  path: string,
  data: string | Uint8Array,
  options: WriteAtomicOptions = {},
): Promise<void> {
  const durable = options.durable ?? true
  const temporary = `${path}.${process.pid}.${sequence++}.tmp`
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o600)
    try {
      await file.writeFile(data)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
  if (durable) await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
