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
export async function observe(directory: string, id: string): Promise<Observed> {
  const [read, exit] = await Promise.all([readRecord(directory), readExit(directory)])
  if (!read) throw new KeelsonError('NOT_FOUND', `container ${id} does not exist`, { id })
  const record = read.process ? read : await withProcess(read, directory)
  if (exit) return { record, status: nextStatus(record.status, 'exit', id), exit }
  if (record.status === 'creating' && !record.process) return { record, status: 'creating' }
  using process = record.process && openProcess(record.process, record.bootId)
  return { record, status: process ? record.status : nextStatus(record.status, 'exit', id) }
}

/** Between the clone and the commit only keelson-init's own file knows the process. */
async function withProcess(record: ContainerRecord, directory: string): Promise<ContainerRecord> {
  const process = await readProcess(directory)
  return process ? { ...record, process } : record
}
