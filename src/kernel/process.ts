import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    pidfdOpen(pid: number): number
    pidfdSendSignal(pidfd: number, signal: number): void
    pidfdWait(pidfd: number): Promise<{ code: number; signal: number } | undefined>
    stopPidfdWait(pidfd: number): void
    setSubreaper(on: boolean): void
    originalFileLimit(): { soft: bigint; hard: bigint }
  }
}

/** pidfd_open(2): a close-on-exec descriptor of the process; ESRCH when it is gone. */
export function pidfdOpen(pid: number): number {
  return native.pidfdOpen(pid)
}

/** pidfd_send_signal(2). */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  native.pidfdSendSignal(pidfd, signal)
}

/**
 * Resolves when the process has ended; keep the pidfd open until then. With its exit code (128 + signal when
 * killed) when it was a child of this process, which reaps it; otherwise undefined: only the parent is told. The signal
 * ends the waiting, with undefined as well.
 */
export async function pidfdWait(
  pidfd: number,
  signal?: AbortSignal,
): Promise<{ code: number; signal: number } | undefined> {
  if (!signal) return native.pidfdWait(pidfd)
  if (signal.aborted) return undefined
  const stop = () => native.stopPidfdWait(pidfd)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await native.pidfdWait(pidfd)
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** PR_SET_CHILD_SUBREAPER: orphans below this process become its children. */
export function setSubreaper(on: boolean): void {
  native.setSubreaper(on)
}

/** The RLIMIT_NOFILE this process was started with; Node itself raises the soft one. */
export function originalFileLimit(): { soft: bigint; hard: bigint } {
  return native.originalFileLimit()
}
