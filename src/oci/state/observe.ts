import { readlinkSync } from 'node:fs'
import { KeelsonError } from '../../base/index.ts'
import type { OwnedFd } from '../../kernel/index.ts'
import { isFrozen } from '../cgroup/freezer.ts'
import type { Exit, Status } from '../runtime.ts'
import { nextStatus } from './lifecycle.ts'
import { openProcess } from './open-process.ts'
import { type ContainerRecord, type Facts, readFacts } from './record.ts'

/** A container as it is now: the record, and what became of its process since. */
export interface Observed {
  record: ContainerRecord
  status: Status
  exit?: Exit
}

/** With a pidfd of its first process, the caller's to dispose of; absent when that has ended. */
export interface OpenObserved extends Observed {
  process?: OwnedFd
}

/** NOT_FOUND when there is no such container. */
export function observe(directory: string, id: string): Observed {
  const { process, ...observed } = observeOpen(directory, id)
  process?.[Symbol.dispose]()
  return observed
}

export function observeOpen(directory: string, id: string): OpenObserved {
  const { record, exit } = factsOf(directory, id)
  if (exit) return { record, status: nextStatus(record.status, 'exit', id), exit }
  if (record.status === 'creating' && !record.process) return { record, status: 'creating' }
  const process = record.process && openProcess(record.process, record.bootId)
  if (!process || !record.process) return { record, status: nextStatus(record.status, 'exit', id) }
  const status = livingStatus(record)
  const isStarted = status === 'created' && !isWaiting(record.process.pid)
  return { record, status: isStarted ? 'running' : status, process }
}

/** Others freeze and thaw the cgroup too (an engine, an administrator): what the kernel says counts. */
function livingStatus({ status, cgroup, startedAtNs }: ContainerRecord): Status {
  if (status === 'creating' || !cgroup) return status
  if (isFrozen(cgroup.freezers)) return 'paused'
  return startedAtNs === undefined ? 'created' : 'running'
}

/**
 * False when the program runs although nobody recorded the start: whoever asked for it was killed in between. Until
 * then it is keelson-init, a file in memory or, where that cannot be executed, our own.
 */
function isWaiting(pid: number): boolean {
  try {
    return /keelson-init( \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`))
  } catch {
    return true // not ours to look at
  }
}

/** Only what is on disk. NOT_FOUND when there is no such container. */
export function factsOf(directory: string, id: string): Facts {
  const facts = readFacts(directory)
  if (facts) return facts
  throw new KeelsonError('NOT_FOUND', `container ${id} does not exist`, { id })
}
