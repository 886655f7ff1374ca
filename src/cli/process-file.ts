import { readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno, writeAtomic } from '../base/index.ts'

/**
 * Which of our processes runs: `<run directory>/<name>.pid` holds pid, start time and boot id, so that a pid that
 * was given to somebody else is never taken for ours.
 */
export interface ProcessRecord {
  pid: number
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc_pid_stat(5)). */
  startTicks: string
  bootId: string
}

export async function writeProcessFile(runDirectory: string, name: string): Promise<void> {
  const record: ProcessRecord = {
    pid: process.pid,
    startTicks: await startTicks(process.pid),
    bootId: await bootId(),
  }
  await writeAtomic(pidPath(runDirectory, name), JSON.stringify(record), { durable: false })
}

/** The record of a process that still runs; a stale file counts as none. */
export async function findProcess(runDirectory: string, name: string): Promise<ProcessRecord | undefined> {
  const record = await readRecord(pidPath(runDirectory, name))
  if (!record || record.bootId !== (await bootId())) return undefined
  const ticks = await startTicks(record.pid).catch(() => undefined)
  return ticks === record.startTicks ? record : undefined
}

export async function removeProcessFile(runDirectory: string, name: string): Promise<void> {
  await unlink(pidPath(runDirectory, name)).catch(() => undefined)
}

const pidPath = (runDirectory: string, name: string) => join(runDirectory, `${name}.pid`)

async function readRecord(path: string): Promise<ProcessRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ProcessRecord
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function startTicks(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The program's name, field 2, is in brackets and may hold anything: count from the last bracket.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}
