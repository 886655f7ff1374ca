import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { hasErrno, SyscallError } from '../base/index.ts'
import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'

/** A path inside a tree, relative to its root: bytes as an archive has them, or text (UTF-8). */
export type TreePath = Buffer | string

/** What an inode is given. Times are those of the content (mtime); atime is set to the same. */
export interface Attributes {
  /** Permission bits with set-id and sticky. */
  mode: number
  uid: number
  gid: number
  mtimeSeconds: number
  mtimeNanoseconds: number
  xattrs?: readonly Xattr[]
}

export interface Xattr {
  name: string
  value: Buffer
}

export interface SpecialFile {
  type: 'fifo' | 'character' | 'block'
  major: number
  minor: number
}

declare module './native.ts' {
  interface Native {
    treeOpen(path: string): number
    treeMakeDirectories(root: number, path: TreePath): Buffer[]
    treeMakeDirectory(root: number, path: TreePath, attributes: Attributes): void
    treeOpenFile(root: number, path: TreePath): number
    treeCreateFile(root: number, path: TreePath): number
    treeFinishFile(file: number, attributes: Attributes): void
    treeSymlink(root: number, path: TreePath, target: TreePath, attributes: Attributes): void
    treeLink(root: number, path: TreePath, target: TreePath): void
    treeNode(
      root: number,
      path: TreePath,
      type: string,
      major: number,
      minor: number,
      attributes: Attributes,
    ): void
    treeWhiteout(root: number, path: TreePath): void
    treeOpaque(root: number, path: TreePath): void
    treeSetTimes(root: number, path: TreePath, seconds: number, nanoseconds: number): void
    treeRemove(path: string): Promise<void>
    treeSync(path: string): Promise<void>
    treeUsage(path: string): Promise<{ bytes: number; inodes: number }>
    treeXattrs(path: TreePath): Xattr[]
  }
}

/**
 * A directory tree filled from an untrusted list of entries: whatever the paths and the links in the tree say,
 * nothing outside it is touched (openat2, RESOLVE_IN_ROOT; the last component is never followed). An entry replaces
 * what was there; a directory over a directory keeps its content. Missing parents are made, as root and 0755.
 *
 * The calls block: make them on a worker thread. Errors are SyscallError.
 */
export class Tree implements Disposable {
  readonly #implied: (path: Buffer) => void
  #root: number

  /** `implied` is called for each parent that no entry described, right after it was made. */
  constructor(path: string, implied: (path: Buffer) => void = () => undefined) {
    this.#root = native.treeOpen(path)
    this.#implied = implied
  }

  /** Its times are not set: later entries in it would change them again. See setTimes. */
  makeDirectory(path: TreePath, attributes: Attributes): void {
    this.#withParents(path, () => native.treeMakeDirectory(this.#root, path, attributes))
  }

  /** Opens a regular file for reading; links lead to places in the tree. The descriptor is the caller's. */
  openFile(path: TreePath): OwnedFd {
    return ownFd(native.treeOpenFile(this.#root, path))
  }

  createFile(path: TreePath): TreeFile {
    return new TreeFile(this.#withParents(path, () => native.treeCreateFile(this.#root, path)))
  }

  symlink(path: TreePath, target: TreePath, attributes: Attributes): void {
    this.#withParents(path, () => native.treeSymlink(this.#root, path, target, attributes))
  }

  /** A second name for `target`, which is a path of this tree; a symbolic link there is not followed. */
  link(path: TreePath, target: TreePath): void {
    this.makeParents(path)
    native.treeLink(this.#root, path, target)
  }

  makeNode(path: TreePath, node: SpecialFile, attributes: Attributes): void {
    const { type, major, minor } = node
    this.#withParents(path, () => native.treeNode(this.#root, path, type, major, minor, attributes))
  }

  /** Hides this name of the layers below (overlay whiteout). */
  whiteout(path: TreePath): void {
    this.#withParents(path, () => native.treeWhiteout(this.#root, path))
  }

  /** Hides what the layers below have in this directory (overlay opaque directory). */
  opaque(path: TreePath): void {
    try {
      native.treeOpaque(this.#root, path)
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error
      this.#makeDirectories(path)
      native.treeOpaque(this.#root, path)
    }
  }

  setTimes(path: TreePath, seconds: number, nanoseconds: number): void {
    native.treeSetTimes(this.#root, path, seconds, nanoseconds)
  }

  makeParents(path: TreePath): void {
    const parent = parentOf(path)
    if (parent.length > 0) this.#makeDirectories(parent)
  }

  [Symbol.dispose](): void {
    if (this.#root >= 0) closeSync(this.#root)
    this.#root = -1
  }

  #makeDirectories(path: TreePath): void {
    for (const made of native.treeMakeDirectories(this.#root, path)) this.#implied(made)
  }

  /** Parents are nearly always there already, so they are made only after a call failed for want of them. */
  #withParents<T>(path: TreePath, call: () => T): T {
    try {
      return call()
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error
      this.makeParents(path)
      return call()
    }
  }
}

/** A regular file of a tree, whole; links lead to places in the tree. EFBIG above `maxBytes`. */
export function readTreeFile(tree: Tree, path: TreePath, maxBytes: number): Buffer {
  using file = tree.openFile(path)
  if (fstatSync(file.fd).size > maxBytes)
    throw new SyscallError({ call: 'read', errno: 'EFBIG', path: String(path) })
  return readFileSync(file.fd)
}

/** A new file of a tree, open for writing (`fd`); `finish` after the content, then dispose. */
export class TreeFile implements Disposable {
  readonly fd: number

  constructor(fd: number) {
    this.fd = fd
  }

  /** Owner, mode, extended attributes and times, in the order in which they do not undo each other. */
  finish(attributes: Attributes): void {
    native.treeFinishFile(this.fd, attributes)
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }
}

/** Removes a directory and all that is in it, on a pool thread, never following a link. Absent: no error. */
export function removeTree(path: string): Promise<void> {
  return native.treeRemove(path)
}

/** syncfs(2) on a pool thread: what was written before is on disk afterwards. */
export function syncFilesystem(path: string): Promise<void> {
  return native.treeSync(path)
}

/** What a directory and all that is in it take on disk, itself included. */
export function treeUsage(path: string): Promise<{ bytes: number; inodes: number }> {
  return native.treeUsage(path)
}

/** Extended attributes of what lies at a path of the host; a link's own, not those of what it leads to. */
export function readXattrs(path: TreePath): Xattr[] {
  return native.treeXattrs(path)
}

function parentOf(path: TreePath): TreePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
