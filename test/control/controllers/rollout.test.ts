import test from 'ava'
import fc from 'fast-check'
import {
  nextReplicas,
  type ReplicaCounts,
  resolveStrategy,
} from '../../../src/control/controllers/rollout.ts'

test('percentages: surge rounds up, unavailable down, and something may always move', (t) => {
  t.deepEqual(resolveStrategy({}, 2), { maxSurge: 1, maxUnavailable: 0 })
  t.deepEqual(resolveStrategy({ maxSurge: 0, maxUnavailable: '10%' }, 5), { maxSurge: 0, maxUnavailable: 1 })
  t.deepEqual(resolveStrategy({ maxSurge: '50%', maxUnavailable: '50%' }, 5), {
    maxSurge: 3,
    maxUnavailable: 2,
  })
})

test('a first rollout takes everything at once', (t) => {
  const current = { name: 'new', wanted: 0, available: 0 }
  t.deepEqual(
    [...nextReplicas({ desired: 3, maxSurge: 1, maxUnavailable: 0, current, old: [] })],
    [['new', 3]],
  )
})

test('scaling down goes to the current set', (t) => {
  const current = { name: 'new', wanted: 5, available: 5 }
  t.deepEqual(
    [...nextReplicas({ desired: 2, maxSurge: 1, maxUnavailable: 0, current, old: [] })],
    [['new', 2]],
  )
})

test('every rollout ends with the new set alone, within surge and availability, pods coming up in any order', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        desired: fc.integer({ min: 0, max: 12 }),
        surge: fc.integer({ min: 0, max: 4 }),
        unavailable: fc.integer({ min: 0, max: 4 }),
        old: fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 3 }),
        readiness: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      }),
      ({ desired, surge, unavailable, old, readiness }) => {
        const { maxSurge, maxUnavailable } = resolveStrategy(
          { maxSurge: surge, maxUnavailable: unavailable },
          desired,
        )
        // Old sets start within what a finished rollout leaves behind: desired pods in all, every one available.
        let left = desired
        const sets: ReplicaCounts[] = old.map((count, index) => {
          const wanted = index === old.length - 1 ? left : Math.min(count, left)
          left -= wanted
          return { name: `old-${index}`, wanted, available: wanted }
        })
        const current: ReplicaCounts = { name: 'new', wanted: 0, available: 0 }
        const started = old.length > 0 && desired > 0
        for (let step = 0; step < 500; step++) {
          const changes = nextReplicas({ desired, maxSurge, maxUnavailable, current, old: sets })
          for (const set of [current, ...sets]) {
            set.wanted = changes.get(set.name) ?? set.wanted
            set.available = Math.min(set.available, set.wanted)
          }
          const total = [current, ...sets].reduce((count, set) => count + set.wanted, 0)
          const available = [current, ...sets].reduce((count, set) => count + set.available, 0)
          t.true(total <= desired + maxSurge)
          if (started)
            t.true(available >= desired - maxUnavailable, `${available} of ${desired} at step ${step}`)
          const ready = readiness.next().value ?? 1
          current.available = Math.min(current.wanted, current.available + ready)
          if (changes.size === 0 && current.available === desired && sets.every((set) => set.wanted === 0))
            return
          // A step in which nothing moves and nothing becomes ready would be a rollout that hangs.
          if (changes.size === 0) current.available = Math.min(current.wanted, current.available + 1)
        }
        t.fail('the rollout did not end')
      },
    ),
    { numRuns: 300 },
  )
})
