import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    setWindowSize(master: number, columns: number, rows: number): void
  }
}

/** ioctl TIOCSWINSZ on a pty master. */
export function setWindowSize(master: number, size: { columns: number; rows: number }): void {
  native.setWindowSize(master, size.columns, size.rows)
}
