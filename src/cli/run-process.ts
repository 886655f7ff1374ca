import { mkdir } from 'node:fs/promises'
import { KeelsonError, type Logger } from '../base/index.ts'
import type { OptionValues } from './command.ts'
import { type Config, type ConfigFlags, resolveConfig } from './config.ts'
import type { Context } from './context.ts'
import type { ProcessOptions } from './control-plane.ts'
import { tellManager } from './manager.ts'
import { findProcess, removeProcessFile, writeProcessFile } from './process-file.ts'
import { ProgressReport, type progressOption } from './progress.ts'

/**
 * The life of `keelson server`, `node` and `cri`: claim the name, start, say so, stay until told to stop, stop in
 * order. A start that fails is reported to whoever started us and undone.
 */
export async function runProcess(
  name: string,
  context: Context,
  flags: ConfigFlags & ProgressFlags,
  start: (options: ProcessOptions) => Promise<AsyncDisposable>,
): Promise<void> {
  const configure = async () => {
    const config = await resolveConfig(flags)
    return { config, log: context.logger(config.logLevel) }
  }
  await runConfigured(name, context, flags, { configure, start })
}

type ProgressFlags = OptionValues<typeof progressOption>

interface Life<Settings> {
  configure: () => Promise<{ config: Settings; log: Logger }>
  start: (options: ProcessOptions<Settings>) => Promise<AsyncDisposable>
}

/** As `runProcess`, for a process that has settings of its own. */
export async function runConfigured<Settings extends Pick<Config, 'runDirectory'>>(
  name: string,
  context: Context,
  flags: ProgressFlags,
  { configure, start }: Life<Settings>,
): Promise<void> {
  const report = new ProgressReport(flags['progress-fd'], context.clock)
  const { clock, signal, notifySocket } = context
  try {
    const { config, log } = await configure()
    await claim(config.runDirectory, name)
    try {
      if (flags.wait) await report.told()
      await using running = await start({ config, clock, log, signal, onStep: (step) => report.step(step) })
      void running
      report.ready()
      tellManager(notifySocket, 'READY=1')
      log.info(`${name} is ready`, { pid: process.pid })
      await aborted(signal)
      tellManager(notifySocket, 'STOPPING=1')
      log.info(`${name} is stopping`)
    } finally {
      await removeProcessFile(config.runDirectory, name)
    }
  } catch (error) {
    throw report.failed(error)
  }
}

async function claim(runDirectory: string, name: string): Promise<void> {
  await mkdir(runDirectory, { recursive: true, mode: 0o711 })
  const other = await findProcess(runDirectory, name)
  if (other) {
    throw new KeelsonError('ALREADY_EXISTS', `keelson ${name} already runs here as process ${other.pid}`, {
      hint: 'stop it with `keelson down`, or give this one its own --run-dir, --data-dir and --instance',
    })
  }
  await writeProcessFile(runDirectory, name)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
