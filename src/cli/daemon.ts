import { spawn } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
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
}

/** Resolves when the child said that it is ready; fails with the last line of its log when it ended before. */
export async function startDaemon(
  name: DaemonName,
  { config, launcher, onProgress }: StartOptions,
): Promise<void> {
  const logDirectory = join(config.dataDirectory, 'log')
  await mkdir(logDirectory, { recursive: true, mode: 0o700 })
  const logPath = join(logDirectory, `${name}.log`)
  await using log = await open(logPath, 'a', 0o600)
  const child = spawn(launcher, [name, '--progress-fd', '3', ...flagsOf(config)], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
  })
  const started = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(new KeelsonError('UNAVAILABLE', `${name} ended early (${signal ?? code})`)),
    )
    const lines = createInterface({ input: child.stdio[3] as Readable })
    lines.on('line', (line) => {
      const report = JSON.parse(line) as Progress & { error?: { message: string; hint?: string } }
      if (report.error) reject(new KeelsonError('FAILED_PRECONDITION', report.error.message, report.error))
      else if (report.step === 'ready') resolve()
      else onProgress(report)
    })
  })
  try {
    await started
  } catch (error) {
    throw error instanceof KeelsonError && !error.hint
      ? new KeelsonError(error.code, error.message, { cause: error, hint: `its log: ${logPath}` })
      : error
  }
  child.unref()
  ;(child.stdio[3] as Readable).destroy()
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

/** The flags that give a child this configuration. Mirrors travel in the saved configuration. */
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
    'log-level': config.logLevel,
  }
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
}
