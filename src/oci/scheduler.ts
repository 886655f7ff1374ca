import { KeelsonError } from '../base/index.ts'
import { shown } from './shown.ts'
import type { IoPriority, Scheduler } from './spec.ts'

/** sched_setattr(2) and ioprio_set(2) in numbers; the specification's words are the kernel's. */
const policies: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
}
const flagBits: Readonly<Record<string, bigint>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01n,
  SCHED_FLAG_RECLAIM: 0x02n,
  SCHED_FLAG_DL_OVERRUN: 0x04n,
  SCHED_FLAG_KEEP_POLICY: 0x08n,
  SCHED_FLAG_KEEP_PARAMS: 0x10n,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20n,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40n,
}
const classes: Readonly<Record<string, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
}
const classShift = 13

export interface SchedulerAttributes {
  policy: number
  nice: number
  priority: number
  flags: bigint
  runtimeNs: bigint
  deadlineNs: bigint
  periodNs: bigint
}

/** `process.scheduler`. INVALID_ARGUMENT with the path of what does not fit together (sched(7)). */
export function schedulerAttributes(scheduler: Scheduler, path: string): SchedulerAttributes {
  const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler
  const number = word(policies, policy, `${path}.policy`)
  if (nice < -20 || nice > 19) throw invalid(`${path}.nice`, `${nice} is out of range`, 'use -20 to 19')
  const realTime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR'
  if (realTime ? priority < 1 || priority > 99 : priority !== 0)
    throw invalid(
      `${path}.priority`,
      `${priority} does not go with ${policy}`,
      realTime ? 'use 1 to 99' : 'only SCHED_FIFO and SCHED_RR have one: leave it out',
    )
  checkDeadline(policy, { runtime, deadline, period }, path)
  return {
    policy: number,
    nice: nice >>> 0,
    priority,
    flags: flags.reduce((bits, flag, index) => bits | word(flagBits, flag, `${path}.flags[${index}]`), 0n),
    runtimeNs: BigInt(runtime),
    deadlineNs: BigInt(deadline),
    periodNs: BigInt(period),
  }
}

/** runtime ≤ deadline ≤ period, where no period means the deadline. */
function checkDeadline(
  policy: string,
  times: { runtime: number; deadline: number; period: number },
  path: string,
): void {
  for (const [name, value] of Object.entries(times)) {
    if (value < 0) throw invalid(`${path}.${name}`, 'is negative', 'give nanoseconds')
    if (value > 0 && policy !== 'SCHED_DEADLINE')
      throw invalid(
        `${path}.${name}`,
        `does not go with ${policy}`,
        'only SCHED_DEADLINE has it: leave it out',
      )
  }
  if (policy !== 'SCHED_DEADLINE') return
  const { runtime, deadline, period } = times
  if (runtime < 1024)
    throw invalid(`${path}.runtime`, `${runtime} is too short`, 'give at least 1024 nanoseconds')
  if (deadline < runtime) throw invalid(`${path}.deadline`, 'is below the runtime', 'raise it')
  if (period !== 0 && period < deadline) throw invalid(`${path}.period`, 'is below the deadline', 'raise it')
}

/** `process.ioPriority` as ioprio_set(2) takes it. */
export function ioPriorityNumber({ class: name, priority = 0 }: IoPriority, path: string): number {
  const kind = word(classes, name, `${path}.class`)
  if (priority < 0 || priority > 7)
    throw invalid(`${path}.priority`, `${priority} is out of range`, 'use 0 (first) to 7 (last)')
  return (kind << classShift) | priority
}

function word<T>(table: Readonly<Record<string, T>>, name: string, path: string): T {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value !== undefined) return value
  throw invalid(path, `unknown word ${shown(name)}`, `use one of ${Object.keys(table).join(', ')}`)
}

function invalid(path: string, message: string, hint: string): KeelsonError {
  return new KeelsonError('INVALID_ARGUMENT', `${path}: ${message}`, { path, hint })
}
