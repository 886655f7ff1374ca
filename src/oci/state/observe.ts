import { KeelsonError } from '../../base/index.ts'
import type { Exit, Status } from '../runtime.ts'
import { nextStatus } from './lifecycle.ts'
import { openProcess } from './open-process.ts'
import { type ContainerRecord, readExit, readRecord } from './record.ts'

/** A container as it is now: the record, and what became of its process since. */
export interface Observed {
  record: ContainerRecord
  status: Status
  exit?: Exit
}

/** NOT_FOUND when there is no such container. */
export function observe(directory: string, id: string): Observed {
  const record = recordOf(directory, id)
  const exit = readExit(directory)
  if (exit) return { record, status: nextStatus(record.status, 'exit', id), exit }
  if (record.status === 'creating' && !record.process) return { record, status: 'creating' }
  using process = record.process && openProcess(record.process, record.bootId)
  return { record, status: process ? record.status : nextStatus(record.status, 'exit', id) }
}

/** Only what is on disk. NOT_FOUND when there is no such container. */
export function recordOf(directory: string, id: string): ContainerRecord {
  const record = readRecord(directory)
  if (record) return record
  throw new KeelsonError('NOT_FOUND', `container ${id} does not exist`, { id })
}
