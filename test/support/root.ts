import test, { type ExecutionContext } from 'ava'

/**
 * For tests that need root: the same as `test` when run as root, else a skip that names itself in the output, so
 * that nobody takes a green run without root for a full one.
 */
export function rootTest(title: string, body: (t: ExecutionContext) => Promise<void> | void): void {
  if (process.getuid?.() === 0) test(title, body)
  else test.skip(`${title} (needs root)`, body)
}

/** The same, alone: for what takes every processor, or would be in the way of its neighbours. */
export function serialRootTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (process.getuid?.() === 0) test.serial(title, body)
  else test.skip(`${title} (needs root)`, body)
}
