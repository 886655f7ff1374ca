import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasErrno, KeelsonError } from '../../base/index.ts'
import type { Exit, Status } from '../runtime.ts'
import type { Spec } from '../spec.ts'

/**
 * What is on disk about a container, in `<state root>/<id>/`:
 *
 *     lock          flock'ed by every command that changes the container
 *     state.json    this record; first written before the first cgroup is made
 *     config.json   the specification it was made from
 *     pid           `<pid> <start time in ticks>`, written by keelson-init itself
 *     exit.json     how it ended, written by the monitor
 *     start.sock    where the first process waits for the start
 *     monitor.sock  where the monitor listens
 *
 * All of it is a few kilobytes on a file system in memory (/run), so it is read and written in place: a trip through
 * the thread pool would cost ten times the call, several times per start.
 */
export const recordFiles = {
  lock: 'lock',
  state: 'state.json',
  config: 'config.json',
  pid: 'pid',
  exit: 'exit.json',
  startSocket: 'start.sock',
  monitorSocket: 'monitor.sock',
} as const

export const recordVersion = 1

export interface ContainerRecord {
  version: typeof recordVersion
  id: string
  ociVersion: string
  /** The last status that was decided; `stopped` is also inferred from the process. */
  status: Status
  life: 'monitored' | 'detached' | 'foreground'
  bundle: string
  /** Absent for an overlay. */
  rootfs?: string
  annotations: Record<string, string>
  /** Decimal nanoseconds since the epoch. */
  createdAtNs: string
  startedAtNs?: string
  bootId: string
  process?: ProcessIdentity
  cgroup?: {
    path: string
    leaves: string[]
    tasksFiles: string[]
    v2Directory?: string
  }
  namespaces: { pid: boolean; cgroup: boolean }
}

/** With the boot id, names one process for ever. */
export interface ProcessIdentity {
  pid: number
  /** Field 22 of /proc/<pid>/stat, decimal. */
  startTicks: string
}

/** Undefined when there is no such container; DATA_LOSS for a file of another version or shape. */
export function readRecord(directory: string): ContainerRecord | undefined {
  const text = readOptional(join(directory, recordFiles.state))
  if (text === undefined) return undefined
  const record: Partial<ContainerRecord> = JSON.parse(text)
  if (record.version === recordVersion) return record as ContainerRecord
  throw new KeelsonError('DATA_LOSS', `state of version ${record.version} cannot be read`, {
    path: join(directory, recordFiles.state),
    hint: 'delete the container with the keelson version that made it',
  })
}

export function writeRecord(directory: string, record: ContainerRecord): void {
  replace(join(directory, recordFiles.state), encodeRecord(record))
}

export function encodeRecord(record: ContainerRecord): string {
  return `${JSON.stringify(record)}\n`
}

export function readConfig(directory: string): Spec {
  return JSON.parse(readFileSync(join(directory, recordFiles.config), 'utf8'))
}

/** What keelson-init wrote; undefined before it got that far. */
export function readProcess(directory: string): ProcessIdentity | undefined {
  const [pid, startTicks] = (readOptional(join(directory, recordFiles.pid)) ?? '').trim().split(' ')
  return pid && startTicks ? { pid: Number(pid), startTicks } : undefined
}

export function readExit(directory: string): Exit | undefined {
  const text = readOptional(join(directory, recordFiles.exit))
  if (text === undefined) return undefined
  const { exitCode, signal, oomKills, finishedAtNs, reason } = JSON.parse(text)
  return {
    exitCode,
    ...(signal > 0 ? { signal } : {}),
    oomKilled: oomKills > 0,
    finishedAtNs: BigInt(finishedAtNs),
    ...(reason === undefined ? {} : { reason }),
  }
}

/** For exits that no monitor recorded. */
export function writeExit(directory: string, exit: Exit): void {
  const { exitCode, signal = 0, oomKilled, finishedAtNs, reason } = exit
  const record = {
    version: recordVersion,
    exitCode,
    signal,
    oomKills: oomKilled ? 1 : 0,
    finishedAtNs: String(finishedAtNs),
    ...(reason === undefined ? {} : { reason }),
  }
  replace(join(directory, recordFiles.exit), `${JSON.stringify(record)}\n`)
}

/** By rename: readers see the old or the new. No flush, since a reboot empties the state root. Under the lock. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
