import { mkdir } from 'node:fs/promises'
import { KeelsonError } from '../../base/index.ts'
import { type Config, configOptions, loadSavedConfig, resolveConfig, saveConfig } from '../config.ts'
import { type Context, command } from '../context.ts'
import { type DaemonName, type StartingDaemon, startDaemon, stopDaemon } from '../daemon.ts'
import { checkMachine } from '../doctor/check-machine.ts'
import { pathsOf } from '../paths.ts'
import { requireRoot } from '../preflight.ts'
import { findProcess } from '../process-file.ts'
import { lookBefore, undoUp } from '../undo-up.ts'

/**
 * A control plane and a node as two background processes. Repeating it changes nothing that runs; what is missing
 * is started, and a changed configuration restarts both processes around the running pods.
 */
export default command({
  name: 'up',
  summary: 'start a cluster on this machine and wait until it is ready',
  options: {
    ...configOptions,
    detach: { type: 'boolean', short: 'd', help: 'return when ready; otherwise stay and stop it on Ctrl-C' },
  },
  run: async (context, flags) => {
    requireRoot(context)
    const config = await resolveConfig(flags)
    await refuseUnfitMachine(config)
    const startedMs = context.clock.monotonicMs()
    await mkdir(config.dataDirectory, { recursive: true, mode: 0o711 })
    const before = await lookBefore(config)
    try {
      await start(context, config)
    } catch (error) {
      await undoUp(context, config, before)
      throw error
    }
    const totalMs = Math.round(context.clock.monotonicMs() - startedMs)
    context.notice(`  ready after ${totalMs} ms`)
    explain(context, config)
    if (!flags.detach) await stayUntilStopped(context, config)
  },
})

async function start(context: Context, config: Config): Promise<void> {
  await stopIfChanged(context, config)
  await saveConfig(config)
  await startBoth(context, config)
  const { nodeReady } = await import('../node-ready.ts')
  await nodeReady(context, config)
}

async function refuseUnfitMachine(config: Config): Promise<void> {
  const failed = checkMachine(config).find(({ result }) => result === 'failed')
  if (!failed) return
  throw new KeelsonError('FAILED_PRECONDITION', `${failed.name}: ${failed.detail}`, {
    hint: '`keelson doctor` checks everything',
  })
}

async function stopIfChanged(context: Context, config: Config): Promise<void> {
  const saved = await loadSavedConfig(config.dataDirectory)
  if (saved === undefined || JSON.stringify(saved) === JSON.stringify(config)) return
  for (const name of ['node', 'server'] as const)
    if (await stopDaemon(name, config, context))
      context.notice(`  ${name} restarts with the new configuration; pods stay`)
}

/** The node loads its code while the server starts, but touches nothing before the server is ready. */
async function startBoth(context: Context, config: Config): Promise<void> {
  const server = await startIfAbsent(context, config, 'server')
  const node = await startIfAbsent(context, config, 'node')
  try {
    await server?.ready
  } catch (error) {
    node?.giveUp()
    throw error
  }
  node?.proceed()
  await node?.ready
}

async function startIfAbsent(
  { launcher, notice }: Context,
  config: Config,
  name: DaemonName,
): Promise<StartingDaemon | undefined> {
  const running = await findProcess(config.runDirectory, name)
  if (running) {
    notice(`  ${name} already runs (process ${running.pid})`)
    return undefined
  }
  return startDaemon(name, {
    config,
    launcher,
    waits: name === 'node',
    onProgress: ({ step, ms }) => notice(`  ${name}: ${step} ${ms} ms`),
  })
}

function explain({ print }: Context, config: Config): void {
  print(`export KUBECONFIG=${pathsOf(config).adminKubeconfig}`)
}

async function stayUntilStopped(context: Context, config: Config): Promise<void> {
  context.notice('  stop it with Ctrl-C')
  await new Promise<void>((resolve) =>
    context.signal.addEventListener('abort', () => resolve(), { once: true }),
  )
  const { tearDown } = await import('../tear-down.ts')
  await tearDown(config, context, { keepPods: false })
}
