import { native } from './native.ts'

declare module './native.ts' {
  interface Native {
    setWindowSize(master: number, columns: number, rows: number): void
    makeRaw(terminal: number): Uint8Array
    setTerminal(terminal: number, settings: Uint8Array): void
  }
}

/** ioctl TIOCSWINSZ on a pty master. */
export function setWindowSize(master: number, size: { columns: number; rows: number }): void {
  native.setWindowSize(master, size.columns, size.rows)
}

/**
 * cfmakeraw(3); the returned function takes it back. Unlike Node's own raw mode the output is not touched either: what
 * the far terminal has made of a newline is not for ours to change again.
 */
export function makeRaw(terminal: number): () => void {
  const before = native.makeRaw(terminal)
  return () => native.setTerminal(terminal, before)
}
