import { constants } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asKeelsonError, hasErrno } from '../../base/index.ts'

/** Reads and writes of cgroups that may be going away meanwhile: what is gone counts as empty. */

/** The directory and all below it, parents first; empty when it is gone. */
export async function subtree(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const children = entries.filter((entry) => entry.isDirectory())
    const below = await Promise.all(children.map(({ name }) => subtree(join(directory, name))))
    return [directory, ...below.flat()]
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV')) return []
    throw asKeelsonError(error, { op: 'readCgroup' })
  }
}

export async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP')) return ''
    throw asKeelsonError(error, { op: 'readCgroup' })
  }
}

/** False when there is no such file: this hierarchy does not have the facility. Never creates one. */
export async function tryWrite(path: string, value: string): Promise<boolean> {
  try {
    await writeFile(path, value, { flag: constants.O_WRONLY as unknown as string })
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP')) return false
    throw asKeelsonError(error, { op: 'writeCgroup' })
  }
}
