import type { ExecutionContext } from 'ava'
import { temporaryDirectory } from './temporary-directory.ts'

/** A new directory that goes with the test it was asked for. */
export async function scratchDirectory(t: ExecutionContext): Promise<string> {
  const directory = await temporaryDirectory()
  t.teardown(() => directory[Symbol.asyncDispose]())
  return directory.path
}
