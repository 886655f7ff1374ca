import { bootId, hasErrno, processStat } from '../../base/index.ts'
import { type OwnedFd, ownFd, pidfdOpen } from '../../kernel/index.ts'
import type { ProcessIdentity } from './record.ts'

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
    const stat = processStat(pid)
    if (stat.startTicks === startTicks && (zombie || stat.state !== 'Z')) return pidfd
    pidfd[Symbol.dispose]()
    return undefined
  } catch (error) {
    if (hasErrno(error, 'ESRCH', 'ENOENT')) return undefined
    throw error
  }
}
