import { existsSync } from 'node:fs'
import { asKeelsonError } from '../base/index.ts'
import { type Config, loadSavedConfig, restoreConfig } from './config.ts'
import type { Context } from './context.ts'
import { type DaemonName, stopDaemon } from './daemon.ts'
import { findProcess } from './process-file.ts'

/** How it was before an `up`. */
export interface Before {
  saved: Partial<Config> | undefined
  /** Process ids of what ran. */
  pids: Partial<Record<DaemonName, number>>
  /** Nothing of this cluster was on the machine: no process, no pod. */
  nothing: boolean
}

const daemons = ['node', 'server'] as const

export async function lookBefore({ dataDirectory, runDirectory }: Config): Promise<Before> {
  return {
    saved: await loadSavedConfig(dataDirectory),
    pids: await pidsOf(runDirectory),
    nothing: !existsSync(runDirectory),
  }
}

/**
 * After an `up` that failed: what it started is stopped and what it configured is forgotten. Where nothing ran
 * before, nothing stays on the machine; where pods ran, they go on. Never fails itself: the first failure counts.
 */
export async function undoUp(context: Context, config: Config, before: Before): Promise<void> {
  const quiet = { ...context, notice: () => undefined }
  try {
    const now = await pidsOf(config.runDirectory)
    for (const name of daemons) if (now[name] !== before.pids[name]) await stopDaemon(name, config, context)
    if (before.nothing) {
      const { tearDown } = await import('./tear-down.ts')
      await tearDown(config, quiet, { keepPods: false })
    }
    await restoreConfig(config.dataDirectory, before.saved)
    context.notice(before.nothing ? '  undone' : '  undone; pods that ran go on')
  } catch (error) {
    context.notice(`  could not be undone: ${asKeelsonError(error).message}; \`keelson down\` does it`)
  }
}

async function pidsOf(runDirectory: string): Promise<Before['pids']> {
  const pids: Before['pids'] = {}
  for (const name of daemons) {
    const found = await findProcess(runDirectory, name)
    if (found) pids[name] = found.pid
  }
  return pids
}
