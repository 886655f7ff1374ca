import test from 'ava'
import fc from 'fast-check'
import { hasCode } from '../../../src/base/index.ts'
import { type Cause, nextStatus } from '../../../src/oci/state/lifecycle.ts'

const causes = fc.array(fc.constantFrom<Cause>('ready', 'start', 'pause', 'resume', 'exit'))

test('runs only after start (or a pause before it), never leaves stopped, and refuses by name', (t) => {
  fc.assert(
    fc.property(causes, (sequence) => {
      let status = nextStatus('creating', 'ready', 'one')
      let started = false
      for (const cause of sequence) {
        try {
          const before = status
          status = nextStatus(status, cause, 'one')
          // A created container may be paused; that resuming it makes it created again, its record tells.
          started ||= cause === 'start' || cause === 'pause'
          t.false(before === 'stopped' && status !== 'stopped')
        } catch (error) {
          t.true(hasCode(error, 'FAILED_PRECONDITION'))
          t.regex(String(error), new RegExp(`cannot ${cause} container one: it is ${status}`))
        }
        if (status === 'running') t.true(started)
      }
    }),
  )
})
