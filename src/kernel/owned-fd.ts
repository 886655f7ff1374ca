import { closeSync } from 'node:fs'

/** A descriptor with an owner: closed once, by dispose. */
export interface OwnedFd extends Disposable {
  readonly fd: number
}

/** Takes over an open descriptor. */
export function ownFd(fd: number): OwnedFd {
  let open = true
  return {
    fd,
    [Symbol.dispose]() {
      if (open) closeSync(fd)
      open = false
    },
  }
}
