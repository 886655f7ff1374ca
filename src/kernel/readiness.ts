import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    watchEvent(fd: number, change: boolean, callback: () => void): void
    forgetEvent(fd: number): void
    makeEventFd(): number
  }
}

/**
 * Resolves true at the next event of a descriptor, false when the signal comes first. `readable` is POLLIN; `change` is
 * POLLPRI, by which files of cgroupfs tell that they changed since they were last read. The descriptor must stay open
 * until then.
 */
export function nextEvent(fd: number, kind: 'readable' | 'change', signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const stop = () => {
      native.forgetEvent(fd)
      resolve(false)
    }
    native.watchEvent(fd, kind === 'change', () => {
      signal.removeEventListener('abort', stop)
      resolve(true)
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** eventfd(2): a counter that the kernel adds to, close-on-exec and non-blocking; the caller's to close. */
export function makeEventFd(): number {
  return native.makeEventFd()
}
