import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileSystemName } from '../../kernel/file-system.ts' // not the addon

/** What checks look at; handed in, so that tests can show them other machines. */
export interface Host {
  /** Undefined where it cannot be read. */
  read(path: string): string | undefined
  exists(path: string): boolean
  mayWrite(path: string): boolean
  /** Names in a directory; none where there is no such directory. */
  list(path: string): string[]
  /** Of the file system that a path lies on, or would lie on. */
  fileSystem(path: string): FileSystem
  /** Path of a program in the usual places. */
  program(name: string): string | undefined
  nodeVersion: string
}

export interface FileSystem {
  /** As `stat -f -c %T` names it, or its magic number in hex. */
  type: string
  freeBytes: number
  /** Infinity where the file system does not count them. */
  freeInodes: number
}

const programFolders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/local/bin']

export const thisMachine: Host = {
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  exists: existsSync,
  mayWrite(path) {
    try {
      accessSync(path, constants.W_OK)
      return true
    } catch {
      return false
    }
  },
  list(path) {
    try {
      return readdirSync(path).toSorted()
    } catch {
      return []
    }
  },
  fileSystem(path) {
    let there = path
    while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
    const { type, bavail, bsize, files, ffree } = statfsSync(there)
    return {
      type: fileSystemName(type),
      freeBytes: bavail * bsize,
      freeInodes: files === 0 ? Number.POSITIVE_INFINITY : ffree,
    }
  },
  program: (name) => programFolders.map((folder) => join(folder, name)).find((path) => existsSync(path)),
  nodeVersion: process.versions.node,
}
