import { KeelsonError } from '../../base/index.ts'
import type { Exit, Status } from '../runtime.ts'
import { nextStatus } from './lifecycle.ts'
import { openProcess } from './process-identity.ts'
import { type ContainerRecord, readExit, readProcess, readRecord } from './record.ts'

/** A container as it is now: the record, and what became of its process since. */
export interface Observed {
  record: ContainerRecord
  status: Status
  exit?: Exit
}

/** NOT_FOUND when there is no such container. */
export function observe(directory: string, id: string): Observed {
  const read = readRecord(directory)
  const exit = readExit(directory)
  if (!read) throw new KeelsonError('NOT_FOUND', `container ${id} does not exist`, { id })
  const record = read.process ? read : withProcess(read, directory)
  if (exit) return { record, status: nextStatus(record.status, 'exit', id), exit }
  if (record.status === 'creating' && !record.process) return { record, status: 'creating' }
  using process = record.process && openProcess(record.process, record.bootId)
  return { record, status: process ? record.status : nextStatus(record.status, 'exit', id) }
}

/** Between the clone and the commit only keelson-init's own file knows the process. */
function withProcess(record: ContainerRecord, directory: string): ContainerRecord {
  const process = readProcess(directory)
  return process ? { ...record, process } : record
}
