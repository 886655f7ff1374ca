import { constants } from 'node:fs'
import { copyFile, mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ArchiveFile } from './files.ts'

/** Writes the files below an empty directory; where the file system can share extents, blobs take no room. */
export async function writeFolder(
  path: string,
  files: readonly ArchiveFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { name, content } of files) {
    signal?.throwIfAborted()
    const target = join(path, name)
    await mkdir(dirname(target), { recursive: true })
    if (Buffer.isBuffer(content)) await writeFile(target, content)
    else await copyFile(content.path, target, constants.COPYFILE_FICLONE)
    await using file = await open(target, 'r+')
    await file.sync()
  }
}
