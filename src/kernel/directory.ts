import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    removeEmptyDirectories(paths: readonly string[]): Promise<boolean>
    removeFlatDirectory(path: string): Promise<boolean>
  }
}

/**
 * rmdir(2) of each, in order, in one trip to another thread. True when none is left, false when one is busy or has
 * something in it.
 */
export function removeEmptyDirectories(paths: readonly string[]): Promise<boolean> {
  return native.removeEmptyDirectories(paths)
}

/** Removes a directory with the files in it, in one trip to another thread. False when it holds a directory. */
export function removeFlatDirectory(path: string): Promise<boolean> {
  return native.removeFlatDirectory(path)
}
