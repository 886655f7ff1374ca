import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'

declare module './native.ts' {
  interface Native {
    cloneTreePrivately(path: string): Promise<number>
  }
}

/**
 * A detached copy of a directory or file with all mounts below it (open_tree(2), OPEN_TREE_CLONE), private, to be
 * attached elsewhere. The path may be `/proc/<pid>/fd/<n>`: the copy is then of what that descriptor holds, whatever
 * names have become since. ENOENT when absent.
 */
export async function cloneMountTree(path: string): Promise<OwnedFd> {
  return ownFd(await native.cloneTreePrivately(path))
}
