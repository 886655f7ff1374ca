import test from 'ava'
import fc from 'fast-check'
import { bandwidthOrder } from '../../../src/oci/cgroup/cpu-bandwidth.ts'

interface State {
  quota: number
  period: number
  burst: number
}

const ratio = ({ quota, period }: State) => (quota <= 0 ? Number.POSITIVE_INFINITY : quota / period)

/** What the kernel checks at each write: a burst within the quota, and no more than the parent may use. */
function isAllowed(state: State, parent: number): boolean {
  return ratio(state) <= parent && (state.quota <= 0 ? state.burst === 0 : state.burst <= state.quota)
}

const us = fc.integer({ min: 1000, max: 1_000_000 })
const state = fc
  .record({ quota: us, period: us, share: fc.integer({ min: 0, max: 4 }) })
  .map(({ quota, period, share }): State => ({ quota, period, burst: Math.trunc((quota * share) / 4) }))

test('from any state to any other, no step in between asks for more than both ends of them', (t) => {
  fc.assert(
    fc.property(state, state, (now, wanted) => {
      const parent = Math.max(ratio(now), ratio(wanted))
      const current = { ...now }
      for (const step of bandwidthOrder(wanted, now)) {
        current[step] = wanted[step]
        t.true(isAllowed(current, parent), `${step} of ${JSON.stringify({ now, wanted })}`)
      }
      t.deepEqual(current, wanted)
    }),
  )
})

test('only what is wanted is written', (t) => {
  t.deepEqual(
    bandwidthOrder({ quota: 5, period: undefined, burst: undefined }, { quota: -1, period: 1, burst: 0 }),
    ['quota'],
  )
})
