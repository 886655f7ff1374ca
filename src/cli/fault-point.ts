import { appendFileSync, readFileSync } from 'node:fs'
import type { Around } from './around.ts'

/**
 * For tests of restarts: this process dies by SIGKILL at one step of its work. A file says which: `before N` or
 * `after N`, the N-th step begun or ended since the file was written last; `trace` none. Every step is noted in
 * `<file>.steps`, so that a test can walk all of them. The file may change while the process runs.
 */
export function faultPoint(path: string): Around {
  let order = ''
  let counts = { before: 0, after: 0 }
  const reached = (when: 'before' | 'after', step: string) => {
    const now = readFileSync(path, 'utf8').trim()
    if (now !== order) {
      order = now
      counts = { before: 0, after: 0 }
    }
    if (now === '') return
    counts[when]++
    appendFileSync(`${path}.steps`, `${when} ${step}\n`)
    if (now.startsWith(`${when} ${counts[when]} `)) process.kill(process.pid, 'SIGKILL')
  }
  return async (step, call) => {
    reached('before', step)
    const result = await call()
    reached('after', step)
    return result
  }
}
