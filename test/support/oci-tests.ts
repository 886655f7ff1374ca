/** What every test file of the command line needs: the built programs, ids of its own, and a test that may be skipped. */
import test, { type ExecutionContext } from 'ava'
import { hasBusybox } from './bundle.ts'
import { ociPrograms, type Programs } from './oci-programs.ts'
import { rootTest } from './root.ts'
import { skipWithout } from './skip.ts'

export interface OciTests {
  /** There from the first test on. */
  programs: Omit<Programs, keyof AsyncDisposable>
  /** An id that no other test has. */
  nextId: () => string
  /** Needs root and busybox-static, and says so where it is skipped. */
  busyboxTest: (title: string, body: (t: ExecutionContext) => Promise<void> | void) => void
}

/** Builds the programs before the first test of the file and removes them after the last; `name` is part of every id. */
export function ociTests(name: string): OciTests {
  let built: Programs | undefined
  test.serial.before(async () => {
    built = await ociPrograms()
  })
  test.after.always(async () => {
    await built?.[Symbol.asyncDispose]()
  })
  const programs = () => {
    if (built === undefined) throw new Error('the programs are there when the tests begin')
    return built
  }
  let counter = 0
  return {
    programs: {
      get keelson() {
        return programs().keelson
      },
      get withoutFront() {
        return programs().withoutFront
      },
      get runc() {
        return programs().runc
      },
      get folder() {
        return programs().folder
      },
    },
    nextId: () => `kt-${name}-${process.pid}-${counter++}`,
    busyboxTest: skipWithout('busybox-static', hasBusybox, rootTest),
  }
}
