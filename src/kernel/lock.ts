import { native } from './native.ts'
import { type OwnedFd, ownFd } from './owned-fd.ts'

declare module './native.ts' {
  interface Native {
    tryLockFile(path: string): number
    lockFile(path: string): Promise<number>
  }
}

/**
 * Takes an exclusive flock(2) on the file, made when missing; waits while somebody else has it. The lock ends when
 * the last copy of the descriptor is closed, in whatever process.
 */
export async function lockFile(path: string): Promise<OwnedFd> {
  const free = native.tryLockFile(path)
  return ownFd(free >= 0 ? free : await native.lockFile(path))
}
