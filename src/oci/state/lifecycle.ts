import { KeelsonError } from '../../base/index.ts'
import type { Status } from '../runtime.ts'

/** What may happen to a container (runtime.md, "Lifecycle"). */
export type Cause = 'ready' | 'start' | 'pause' | 'resume' | 'exit'

const next: Record<Status, Partial<Record<Cause, Status>>> = {
  creating: { ready: 'created', exit: 'stopped' },
  created: { start: 'running', pause: 'paused', exit: 'stopped' },
  running: { pause: 'paused', exit: 'stopped' },
  paused: { resume: 'running', exit: 'stopped' },
  stopped: { exit: 'stopped' },
}

/** Every change of status passes here. FAILED_PRECONDITION names what was asked and where the container stands. */
export function nextStatus(status: Status, cause: Cause, id: string): Status {
  const to = next[status][cause]
  if (to !== undefined) return to
  throw refusal(status, cause, id)
}

/** Refuses what needs a process in a container that has none. */
export function requireAlive(status: Status, op: string, id: string): void {
  if (status === 'created' || status === 'running' || status === 'paused') return
  throw refusal(status, op, id)
}

function refusal(status: Status, op: string, id: string): KeelsonError {
  return new KeelsonError('FAILED_PRECONDITION', refusalText(status, op, id), { op, id })
}

/** runc's words are among ours where callers look for them: a containerd that kills what has ended reads this text. */
export function refusalText(status: Status, op: string, id: string): string {
  const known = op === 'resume' ? ', container not paused' : op === 'start' ? '' : ', container not running'
  return `cannot ${op} container ${id}: it is ${status}${known}`
}
