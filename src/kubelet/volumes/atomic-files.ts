import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { KeelsonError } from '../../base/index.ts'

export interface VolumeFile {
  data: Uint8Array
  mode: number
}

/** Relative path → file. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>

/** The link whose replacement switches to a new set. */
export const dataLink = '..data'
let sequence = 0

/**
 * Shows a set of files in a directory so that readers see all of the old set or all of the new one:
 *
 *   volume/key        → ..data/key         made once per top-level name
 *   volume/..data     → ..2026_1           replaced by rename: the switch
 *   volume/..2026_1/key                    the files themselves
 *
 * Nothing is written when the set shown is the same. Returns whether it changed.
 */
export async function showFiles(directory: string, files: VolumeFiles, gid?: number): Promise<boolean> {
  for (const path of files.keys()) checkPath(path)
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const before = await currentVersion(directory)
  if (before && (await sameFiles(join(directory, before), files))) return false
  const version = `..${Date.now()}_${process.pid}_${sequence++}`
  await writeVersion(join(directory, version), files, gid)
  const temporary = join(directory, `${dataLink}_tmp`)
  await rm(temporary, { force: true }) // left by a process that was killed here
  await symlink(version, temporary)
  await rename(temporary, join(directory, dataLink))
  await showNames(directory, files)
  if (before) await rm(join(directory, before), { recursive: true, force: true })
  return true
}

function checkPath(path: string): void {
  const parts = path.split('/')
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]?.startsWith('..'))
    throw new KeelsonError('INVALID_ARGUMENT', `"${path}" is not a path inside a volume`, { path })
}

async function currentVersion(directory: string): Promise<string | undefined> {
  return readlink(join(directory, dataLink)).catch(() => undefined)
}

async function sameFiles(version: string, files: VolumeFiles): Promise<boolean> {
  const shown = (await readdir(version, { recursive: true, withFileTypes: true }).catch(() => [])).filter(
    (entry) => entry.isFile(),
  )
  if (shown.length !== files.size) return false
  for (const [path, { data, mode }] of files) {
    const name = join(version, path)
    const bytes = await readFile(name).catch(() => undefined)
    if (!bytes?.equals(data) || ((await lstat(name)).mode & 0o7777) !== mode) return false
  }
  return true
}

async function writeVersion(version: string, files: VolumeFiles, gid: number | undefined): Promise<void> {
  await mkdir(version, { mode: 0o755 })
  for (const [path, { data, mode }] of files) {
    const name = join(version, path)
    await mkdir(dirname(name), { recursive: true, mode: 0o755 })
    await writeFile(name, data, { mode })
    // The mode asked for, whatever the umask says; the owner first, because chown drops set-id bits.
    if (gid !== undefined) await chown(name, 0, gid)
    await chmod(name, mode)
  }
}

async function showNames(directory: string, files: VolumeFiles): Promise<void> {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path))
  const present = await readdir(directory)
  for (const name of present)
    if (!name.startsWith('..') && !wanted.has(name)) await unlink(join(directory, name))
  for (const name of wanted)
    if (!present.includes(name)) await symlink(join(dataLink, name), join(directory, name))
}
