import test, { type ExecutionContext } from 'ava'

type Declare = (title: string, body: (t: ExecutionContext) => Promise<void> | void) => void

/** The same as `declare` where `what` is there, else a skip that names it. */
export function skipWithout(what: string, isThere: boolean, declare: Declare = test): Declare {
  return isThere ? declare : (title) => test.skip(`${title} (needs ${what})`, () => {})
}
