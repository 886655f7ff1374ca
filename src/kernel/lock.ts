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
 * the last copy of the descriptor is closed, in whatever process. The signal ends the waiting.
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<OwnedFd> {
  const free = native.tryLockFile(path)
  if (free >= 0) return ownFd(free)
  const taken = native.lockFile(path).then(ownFd)
  if (!signal) return taken
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      void taken.then((late) => late[Symbol.dispose]()).catch(() => {}) // it may still come: nobody's then
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    taken.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
