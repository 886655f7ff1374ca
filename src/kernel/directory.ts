import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    readFiles(directory: string, names: readonly string[]): (string | undefined)[] | undefined
    whichExist(paths: readonly string[]): boolean[]
    spreadSubdirectories(path: string): void
    removeDirectories(empty: readonly string[], flat: string): Promise<boolean>
  }
}

/**
 * The text of files of one directory, undefined for those that are not there (or are of a cgroup that is going away);
 * undefined as a whole without the directory. Only for small files of file systems in memory: each read is instant.
 */
export function readFiles(directory: string, names: readonly string[]): (string | undefined)[] | undefined {
  return native.readFiles(directory, names)
}

/** Whether each of the paths leads somewhere. Instant, as above. */
export function whichExist(paths: readonly string[]): boolean[] {
  return native.whichExist(paths)
}

/**
 * A hint to the file system: what lies in the subdirectories of this directory is unrelated (ext4: chattr(1) `T`).
 * ext4 gives each of them a part of the disk of its own then. Without it all of them share the inodes of one part,
 * and each new file there passes by those of files that were deleted in the last minutes (up to 8192 of them,
 * recently_deleted() in the kernel's fs/ext4/ialloc.c). Elsewhere this does nothing. Instant.
 */
export function spreadSubdirectories(path: string): void {
  native.spreadSubdirectories(path)
}

/**
 * In one trip to another thread: rmdir(2) of each of `empty`, in order, and when none of them is left, `flat` with the
 * files in it. True when nothing is left; false when a directory is busy or has something in it that may not go.
 */
export function removeDirectories({
  empty,
  flat = '',
}: {
  empty: readonly string[]
  flat?: string
}): Promise<boolean> {
  return native.removeDirectories(empty, flat)
}
