import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CriClient, connectCri } from '../../cri/index.ts'
import { StatusRequest } from '../../cri/types.ts'
import { joinCpuGroup } from './cpu.ts'

/** A CRI runtime as a process of its own, with a client connected to it. */
export interface CriServer extends AsyncDisposable {
  readonly cri: CriClient
  readonly pid: number
}

export interface CriCommand {
  argv: readonly string[]
  env?: NodeJS.ProcessEnv
  socketPath: string
  logPath: string
  /** Group (from the root) in which its CPU time is counted, and that of all it starts. */
  cpuGroup?: string
  /** Bound for start and for stop. */
  timeoutMs?: number
}

/** Starts the program and waits until runtime and network say that they are ready. */
export async function startCriServer(command: CriCommand): Promise<CriServer> {
  const { argv, env = process.env, socketPath, logPath, timeoutMs = 20_000 } = command
  const log = openSync(logPath, 'a')
  const [program = '', ...args] = argv
  const child = spawn(program, args, { env, stdio: ['ignore', log, log] })
  closeSync(log)
  if (command.cpuGroup !== undefined && child.pid !== undefined) joinCpuGroup(command.cpuGroup, child.pid)
  const cri = connectCri(socketPath)
  try {
    await ready(cri, child, timeoutMs)
  } catch (error) {
    await stop(child, timeoutMs)
    cri.close()
    throw new Error(`${program} is no CRI server: ${lastLines(logPath)}`, { cause: error })
  }
  return {
    cri,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      cri.close()
      await stop(child, timeoutMs)
    },
  }
}

async function ready({ runtime }: CriClient, child: ChildProcess, timeoutMs: number): Promise<void> {
  const { signal } = new AbortController()
  let seen: unknown = 'it did not answer'
  for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await sleep(20)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended')
    try {
      const { status } = await runtime.status(StatusRequest.create(), { signal })
      seen = status?.conditions
      if (status?.conditions.every((condition) => condition.status)) return
    } catch (error) {
      seen = error
    }
  }
  throw new Error('it is not ready', { cause: seen })
}

/** SIGTERM, then SIGKILL to this one process. */
export async function stop(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  await ended
  clearTimeout(late)
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8').trim().split('\n').slice(-3).join(' / ')
}
