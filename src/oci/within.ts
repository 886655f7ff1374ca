import type { Clock } from '../base/index.ts'

/** What `within` gives when the time was over first. */
export const late = Symbol('late')

/** The work's result, or `late`; the work itself goes on, and what becomes of it then is nobody's. */
export async function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T | typeof late> {
  let cancel = () => {}
  const over = new Promise<typeof late>((resolve) => {
    cancel = clock.after(timeoutMs, () => resolve(late))
  })
  return Promise.race([work, over]).finally(cancel)
}
