import { readFileSync } from 'node:fs'
import { hasErrno } from '../../base/index.ts'
import { type OwnedFd, ownFd, pidfdOpen } from '../../kernel/index.ts'
import type { ProcessIdentity } from './record.ts'

let cachedBootId: string | undefined

/** Changes with every boot: pids and start times mean nothing across one. */
export function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return cachedBootId
}

/**
 * A pidfd of exactly this process, undefined when it is gone. The pidfd is opened first and the start time compared
 * after: if it matches then, the descriptor cannot name somebody else. A zombie counts as gone unless asked for.
 */
export function openProcess(
  { pid, startTicks }: ProcessIdentity,
  recordedBootId: string,
  { zombie = false } = {},
): OwnedFd | undefined {
  if (recordedBootId !== bootId()) return undefined
  try {
    const pidfd = ownFd(pidfdOpen(pid))
    const [state, ticks] = statOf(pid)
    if (ticks === startTicks && (zombie || state !== 'Z')) return pidfd
    pidfd[Symbol.dispose]()
    return undefined
  } catch (error) {
    if (hasErrno(error, 'ESRCH', 'ENOENT')) return undefined
    throw error
  }
}

/** State letter and start time; the name before them may hold anything, so fields count from the last bracket. */
function statOf(pid: number): [state: string | undefined, startTicks: string | undefined] {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return [fields[0], fields[19]]
}
