import { closeSync } from 'node:fs'
import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    fileLock(path: string): number
  }
}

/** An exclusive flock(2), held until dispose or until this process ends, however it ends. */
export class FileLock implements Disposable {
  #fd: number

  /** Makes the file when absent. EWOULDBLOCK (errno name EAGAIN) when somebody else holds the lock. */
  constructor(path: string) {
    this.#fd = native.fileLock(path)
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }
}
