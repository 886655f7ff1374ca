import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Duplex, Readable } from 'node:stream'
import { KeelsonError } from '../base/index.ts'
import { ownFd, pidfdOpen, pidfdSendSignal, pidfdWait } from '../kernel/index.ts'
import type { Config, configOptions } from './config.ts'
import type { Context } from './context.ts'
import { findProcess, removeProcessFile } from './process-file.ts'

/**
 * Our own background processes. The child reports its progress as JSON lines on descriptor 3 (`{"step","ms"}`),
 * closes it when it is ready, and writes its log to `<data directory>/log/<name>.log`; so starting one waits for
 * an event, not for a guess.
 */
export type DaemonName = 'server' | 'node'

export interface Progress {
  step: string
  ms: number
}

export interface StartOptions {
  config: Config
  launcher: string
  onProgress: (progress: Progress) => void
  waits?: boolean
}

/** A background process on its way. */
export interface StartingDaemon {
  /** Resolves when it said that it is ready; fails with what it reported, or when it ended before. */
  readonly ready: Promise<void>
  /** For one that waits: go on. */
  proceed(): void
  /** For one that waits: it leaves, having changed nothing. */
  giveUp(): void
}

/** With `waits` the process loads its code and then waits for `proceed`, so that it is quick to follow another. */
export async function startDaemon(name: DaemonName, options: StartOptions): Promise<StartingDaemon> {
  const { config, launcher, onProgress, waits = false } = options
  const logDirectory = join(config.dataDirectory, 'log')
  await mkdir(logDirectory, { recursive: true, mode: 0o700 })
  const logPath = join(logDirectory, `${name}.log`)
  await using log = await open(logPath, 'a', 0o600)
  const flags = ['--progress-fd', '3', ...(waits ? ['--wait'] : []), ...flagsOf(config)]
  const child = spawn(launcher, [name, ...flags], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
  })
  const channel = child.stdio[3] as Duplex // a socket pair
  channel.on('error', () => undefined) // its end is told by `exit`
  const ready = reported(name, child, channel, onProgress).then(
    () => letGo(child, channel),
    (error: unknown) => {
      throw error instanceof KeelsonError && !error.hint
        ? new KeelsonError(error.code, error.message, { cause: error, hint: `its log: ${logPath}` })
        : error
    },
  )
  ready.catch(() => undefined) // it may be waited for only after another process
  return { ready, proceed: () => void channel.write('go\n'), giveUp: () => letGo(child, channel) }
}

function reported(
  name: DaemonName,
  child: ChildProcess,
  channel: Readable,
  onProgress: (progress: Progress) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(new KeelsonError('UNAVAILABLE', `${name} ended early (${signal ?? code})`)),
    )
    createInterface({ input: channel }).on('line', (line) => {
      const report = JSON.parse(line) as Progress & { error?: { message: string; hint?: string } }
      if (report.error) reject(new KeelsonError('FAILED_PRECONDITION', report.error.message, report.error))
      else if (report.step === 'ready') resolve()
      else onProgress(report)
    })
  })
}

function letGo(child: ChildProcess, channel: Duplex): void {
  child.unref()
  channel.destroy()
}

/** SIGTERM, then SIGKILL after `timeoutMs`; returns false when it was not running. */
export async function stopDaemon(
  name: DaemonName,
  config: Config,
  { clock }: Context,
  timeoutMs = 10_000,
): Promise<boolean> {
  const record = await findProcess(config.runDirectory, name)
  if (record) {
    using pidfd = ownFd(pidfdOpen(record.pid))
    const ended = pidfdWait(pidfd.fd)
    pidfdSendSignal(pidfd.fd, 15)
    const cancel = clock.after(timeoutMs, () => pidfdSendSignal(pidfd.fd, 9))
    await ended
    cancel()
  }
  await removeProcessFile(config.runDirectory, name)
  return record !== undefined
}

/** The flags that give a child this configuration. Where mirrors and credentials are travels in the saved configuration. */
function flagsOf(config: Config): string[] {
  const values: Record<keyof typeof configOptions, string | undefined> = {
    instance: config.instance,
    'data-dir': config.dataDirectory,
    'run-dir': config.runDirectory,
    'node-name': config.nodeName,
    address: config.address,
    port: String(config.port),
    'kubelet-port': String(config.kubeletPort),
    'pod-cidr': config.podCidr,
    'service-cidr': config.serviceCidr,
    'cri-socket': config.criSocket,
    registries: undefined,
    credentials: undefined,
    'log-level': config.logLevel,
  }
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
}
