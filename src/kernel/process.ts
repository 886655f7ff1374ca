import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    pidfdOpen(pid: number): number
    pidfdSendSignal(pidfd: number, signal: number): void
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
