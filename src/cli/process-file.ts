import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, hasErrno, processStat, writeAtomic } from '../base/index.ts'

/**
 * Which of our processes runs: `<run directory>/<name>.pid` holds pid, start time and boot id, so that a pid that
 * was given to somebody else is never taken for ours.
 */
export interface ProcessRecord {
  pid: number
  startTicks: string
  bootId: string
}

export async function writeProcessFile(runDirectory: string, name: string): Promise<void> {
  const record: ProcessRecord = {
    pid: process.pid,
    startTicks: processStat(process.pid).startTicks,
    bootId: bootId(),
  }
  await writeAtomic(pidPath(runDirectory, name), JSON.stringify(record), { durable: false })
}

/** The record of a process that still runs; a stale file counts as none. */
export async function findProcess(runDirectory: string, name: string): Promise<ProcessRecord | undefined> {
  const record = await readRecord(pidPath(runDirectory, name))
  if (!record || record.bootId !== bootId()) return undefined
  try {
    const { state, startTicks } = processStat(record.pid)
    return startTicks === record.startTicks && state !== 'Z' ? record : undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

export async function removeProcessFile(runDirectory: string, name: string): Promise<void> {
  await rm(pidPath(runDirectory, name), { force: true })
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
