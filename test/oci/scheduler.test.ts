import test from 'ava'
import { ioPriorityNumber, schedulerAttributes } from '../../src/oci/scheduler.ts'
import type { Scheduler } from '../../src/oci/spec.ts'

test('words and numbers become what sched_setattr takes', (t) => {
  t.deepEqual(
    schedulerAttributes({ policy: 'SCHED_BATCH', nice: -3, flags: ['SCHED_FLAG_RESET_ON_FORK'] }, 'p'),
    { policy: 3, nice: 0xfffffffd, priority: 0, flags: 1n, runtimeNs: 0n, deadlineNs: 0n, periodNs: 0n },
  )
  t.like(
    schedulerAttributes({ policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 3000, period: 4000 }, 'p'),
    { policy: 6, runtimeNs: 2000n, deadlineNs: 3000n, periodNs: 4000n },
  )
})

const refused: [path: string, scheduler: Scheduler][] = [
  ['p.policy', { policy: 'SCHED_NORMAL' }],
  ['p.policy', { policy: 'constructor' }],
  ['p.nice', { policy: 'SCHED_OTHER', nice: 20 }],
  ['p.priority', { policy: 'SCHED_OTHER', priority: 1 }],
  ['p.priority', { policy: 'SCHED_FIFO' }],
  ['p.priority', { policy: 'SCHED_RR', priority: 100 }],
  ['p.flags[1]', { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_RECLAIM', 'x'] }],
  ['p.runtime', { policy: 'SCHED_FIFO', priority: 1, runtime: 5000 }],
  ['p.runtime', { policy: 'SCHED_DEADLINE', runtime: 5, deadline: 9 }],
  ['p.runtime', { policy: 'SCHED_DEADLINE', runtime: -5000, deadline: 9 }],
  ['p.deadline', { policy: 'SCHED_DEADLINE', runtime: 5000, deadline: 4000 }],
  ['p.period', { policy: 'SCHED_DEADLINE', runtime: 5000, deadline: 6000, period: 5500 }],
]
for (const [index, [path, scheduler]] of refused.entries())
  test(`refused (${index}): ${JSON.stringify(scheduler)}`, (t) => {
    t.like(
      t.throws(() => schedulerAttributes(scheduler, 'p')),
      { code: 'INVALID_ARGUMENT', path },
    )
  })

test('I/O priorities: class in the upper bits', (t) => {
  t.is(ioPriorityNumber({ class: 'IOPRIO_CLASS_BE', priority: 6 }, 'p'), (2 << 13) | 6)
  t.is(ioPriorityNumber({ class: 'IOPRIO_CLASS_IDLE' }, 'p'), 3 << 13)
  t.like(
    t.throws(() => ioPriorityNumber({ class: 'BE', priority: 1 }, 'p')),
    { path: 'p.class' },
  )
  t.like(
    t.throws(() => ioPriorityNumber({ class: 'IOPRIO_CLASS_RT', priority: 8 }, 'p')),
    { path: 'p.priority' },
  )
})
