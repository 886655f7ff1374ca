import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { KeelsonError } from '../../base/index.ts'

/** A place inside a volume, held open: as long as it is, `path` leads to it whatever happens to the names. */
export interface HeldPath extends AsyncDisposable {
  path: string
}

/**
 * Opens `subPath` inside the volume, making missing directories. A container of the pod may have put a symbolic
 * link there that leads out of the volume, or may swap one in while we look. So each step is opened relative to
 * the one before, links are refused, and what is given on is the descriptor (`/proc/<pid>/fd/<n>`), not a name.
 * A runtime that mounts the descriptor itself closes the race; one that looks its name up first, as our pod layer
 * still does, leaves the moment between that and its mount.
 */
export async function openSubPath(volume: string, subPath: string): Promise<HeldPath> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.')
  if (subPath.startsWith('/') || parts.includes('..'))
    throw new KeelsonError('INVALID_ARGUMENT', `subPath "${subPath}" must stay inside the volume`)
  let held = await open(await realpath(volume), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    for (const [index, part] of parts.entries()) {
      const next = await step(held, part, index === parts.length - 1, subPath)
      await held.close()
      held = next
    }
  } catch (error) {
    await held.close()
    throw error
  }
  return { path: descriptorPath(held), [Symbol.asyncDispose]: () => held.close() }
}

async function step(parent: FileHandle, part: string, last: boolean, subPath: string): Promise<FileHandle> {
  const name = join(descriptorPath(parent), part)
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  try {
    return await open(name, last ? flags : flags | constants.O_DIRECTORY)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') {
      return makeDirectory(parent, name, flags)
    }
    if (code === 'ELOOP' || code === 'ENOTDIR')
      throw new KeelsonError('PERMISSION_DENIED', `subPath "${subPath}" leads through a symbolic link`, {
        path: subPath,
        cause: error,
      })
    throw error
  }
}

/** A new directory may be used by whoever may use the volume. */
async function makeDirectory(parent: FileHandle, name: string, flags: number): Promise<FileHandle> {
  const { mode } = await parent.stat()
  await mkdir(name).catch(() => undefined) // somebody else may have been faster; what is there is looked at anyway
  const made = await open(name, flags | constants.O_DIRECTORY)
  await made.chmod(mode & 0o7777)
  return made
}

function descriptorPath(handle: FileHandle): string {
  return `${sep}proc${sep}${process.pid}${sep}fd${sep}${handle.fd}`
}
