import { readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, hasErrno, processStat, writeAtomic } from '../base/index.ts'
import { ownFd, pidfdOpen, pidfdWait } from '../kernel/index.ts'

const sigkillBit = 1n << 8n

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

/**
 * The record of a process that still runs; a stale file counts as none. One that was killed but has not ended yet is
 * waited for: it still holds its ports and files, and is no process to build on.
 */
export async function findProcess(runDirectory: string, name: string): Promise<ProcessRecord | undefined> {
  const record = await readRecord(pidPath(runDirectory, name))
  if (!record || record.bootId !== bootId()) return undefined
  try {
    const { state, startTicks } = processStat(record.pid)
    if (startTicks !== record.startTicks) return undefined
    if (state !== 'Z' && !isKilled(record.pid)) return record
    using pidfd = ownFd(pidfdOpen(record.pid))
    await pidfdWait(pidfd.fd)
    return undefined
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

/** Whether SIGKILL has been sent, of which the process does not know yet. */
function isKilled(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*(\w+)$/gm)]
  return pending.some(([, mask = '0']) => (BigInt(`0x${mask}`) & sigkillBit) !== 0n)
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
