import { constants, type Dirent } from 'node:fs'
import { copyFile, lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup, hasErrno } from '../base/index.ts'
import { removeTree } from '../kernel/index.ts'
import type { UnpackedArchive } from './image-store.ts'

/** Archives that are no images, unpacked beside the store: a crash leaves them where the next start removes them. */
export async function unpackInto(
  directory: string,
  fill: (directory: string) => Promise<void>,
): Promise<UnpackedArchive> {
  await using undo = new Cleanup()
  await mkdir(directory, { mode: 0o700 })
  undo.defer(() => removeTree(directory))
  await fill(directory)
  undo.keep()
  return { directory, [Symbol.asyncDispose]: () => removeTree(directory) }
}

/**
 * The regular files and directories of these layers (topmost first), one over the other. Links and whiteouts are left
 * out: an image that carries files for a program to read has none.
 */
export async function copyLayers(
  layers: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  for (const layer of layers.toReversed()) await copyTree(layer, directory, signal)
}

async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    signal.throwIfAborted()
    await copyEntry(entry, join(from, entry.name), join(to, entry.name), signal)
  }
}

async function copyEntry(entry: Dirent, from: string, to: string, signal: AbortSignal): Promise<void> {
  if (entry.isDirectory()) {
    if (!(await isDirectory(to))) await makeOver(to)
    await copyTree(from, to, signal)
  } else if (entry.isFile()) {
    await removeTree(to)
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  }
}

async function makeOver(path: string): Promise<void> {
  await removeTree(path)
  await mkdir(path, { mode: 0o700 })
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory()
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false
    throw error
  }
}
