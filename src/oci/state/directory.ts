import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asKeelsonError, hasErrno, KeelsonError } from '../../base/index.ts'
import { lockFile, type OwnedFd } from '../../kernel/index.ts'
import { validateContainerId } from '../container-id.ts'
import { recordFiles, restoreFiles } from './record.ts'

const known = new Set<string>(
  [...Object.values(recordFiles), ...Object.values(restoreFiles)].flatMap((name) => [name, `${name}.new`]),
)

/** INVALID_ARGUMENT for an id that would be another path. */
export function containerDirectory(stateRoot: string, id: string): string {
  return join(stateRoot, validateContainerId(id))
}

/**
 * The lock of a new container in its directory, which is made when missing and emptied when not: what a create or a
 * delete that was killed left would be read as facts of the new container. ALREADY_EXISTS when there is a record.
 */
export async function lockNewDirectory(
  directory: string,
  id: string,
  signal?: AbortSignal,
): Promise<OwnedFd> {
  for (;;) {
    if (!makeStateDirectory(directory, id)) requireOurs(directory, id)
    try {
      const lock = await lockFile(join(directory, recordFiles.lock), signal)
      return claim(directory, id, lock)
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error // a delete had the lock, and took the directory with it
    }
  }
}

/** False when it is there already. */
function makeStateDirectory(directory: string, id: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 })
    return true
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false
    if (!hasErrno(error, 'ENOENT')) throw notMade(error, id)
    makeStateRoot(join(directory, '..'), id)
    return makeStateDirectory(directory, id)
  }
}

function makeStateRoot(stateRoot: string, id: string): void {
  try {
    mkdirSync(stateRoot, { recursive: true, mode: 0o711 })
  } catch (error) {
    throw notMade(error, id)
  }
}

function notMade(error: unknown, id: string): KeelsonError {
  const hint = 'give a --root, or an XDG_RUNTIME_DIR, that this user may write to'
  return asKeelsonError(error, { op: 'create', id, ...(hasErrno(error, 'EACCES', 'EPERM') ? { hint } : {}) })
}

/** The record decides, not the directory: one without it is nobody's. */
function claim(directory: string, id: string, lock: OwnedFd): OwnedFd {
  try {
    const names = readdirSync(directory)
    if (names.includes(recordFiles.state))
      throw new KeelsonError('ALREADY_EXISTS', `container ${id} exists already`, { op: 'create', id })
    for (const name of names)
      if (name !== recordFiles.lock) rmSync(join(directory, name), { recursive: true, force: true })
    return lock
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
}

/**
 * What lies in a container's directory is removed sooner or later. Where the state root is no place of our own (`--root
 * /` and the id `home`, or a directory that anybody may write to) it may be somebody else's: refused before anything
 * is touched.
 */
export function requireOurs(directory: string, id: string): void {
  const why = whyForeign(directory)
  if (why === undefined) return
  throw new KeelsonError('ALREADY_EXISTS', `${directory} ${why}`, {
    id,
    path: directory,
    hint: 'give a --root that is for containers only, or choose another id',
  })
}

function whyForeign(directory: string): string | undefined {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found === undefined) return undefined
  if (!found.isDirectory()) return 'exists and is no directory'
  if (found.uid !== process.geteuid?.()) return `belongs to another user (${found.uid})`
  const foreign = namesIn(directory).find((name) => !known.has(name))
  return foreign === undefined
    ? undefined
    : `is no container’s directory: it holds ${JSON.stringify(foreign)}`
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw asKeelsonError(error)
  }
}
