import { mkdir } from 'node:fs/promises'
import {
  ApiClient,
  createHttpTransport,
  hasCondition,
  Informer,
  readKubeconfig,
  resources,
} from '../../api/index.ts'
import { KeelsonError, silentLogger } from '../../base/index.ts'
import { type Config, configOptions, loadSavedConfig, resolveConfig, saveConfig } from '../config.ts'
import { type Context, command } from '../context.ts'
import { type DaemonName, startDaemon, stopDaemon } from '../daemon.ts'
import { pathsOf } from '../paths.ts'
import { checkMachine, requireRoot } from '../preflight.ts'
import { findProcess } from '../process-file.ts'
import { tearDown } from '../tear-down.ts'

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
    await stopIfChanged(context, config)
    await saveConfig(config)
    for (const name of ['server', 'node'] as const) await ensureDaemon(context, config, name)
    await nodeReady(context, config)
    const totalMs = Math.round(context.clock.monotonicMs() - startedMs)
    context.notice(`  ready after ${totalMs} ms`)
    explain(context, config)
    if (!flags.detach) await stayUntilStopped(context, config)
  },
})

async function refuseUnfitMachine(config: Config): Promise<void> {
  const failed = (await checkMachine(config.dataDirectory)).find(({ result }) => result === 'failed')
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

async function ensureDaemon({ launcher, notice }: Context, config: Config, name: DaemonName): Promise<void> {
  const running = await findProcess(config.runDirectory, name)
  if (running) return notice(`  ${name} already runs (process ${running.pid})`)
  await startDaemon(name, {
    config,
    launcher,
    onProgress: ({ step, ms }) => notice(`  ${name}: ${step} ${ms} ms`),
  })
}

/** Waits for the event, with a bound: a node that cannot become ready says why in its condition. */
async function nodeReady({ clock, signal }: Context, config: Config, timeoutMs = 30_000): Promise<void> {
  const { transport } = await readKubeconfig(pathsOf(config).adminKubeconfig)
  await using connection = createHttpTransport(transport)
  const done = new AbortController()
  const nodes = new Informer({
    client: new ApiClient(connection),
    type: resources.nodes,
    fieldSelector: `metadata.name=${config.nodeName}`,
    clock,
    log: silentLogger,
  })
  nodes.start(AbortSignal.any([done.signal, signal]))
  let reason = 'it has not registered'
  const ready = new Promise<true>((resolve) => {
    nodes.onChange(({ object }) => {
      const condition = object.status?.conditions?.find(({ type }) => type === 'Ready')
      reason = condition?.message ?? reason
      if (hasCondition(object.status?.conditions, 'Ready')) resolve(true)
    })
  })
  const late = clock.sleep(timeoutMs, AbortSignal.any([done.signal, signal])).then(() => false)
  try {
    if (!(await Promise.race([ready, late])))
      throw new KeelsonError('DEADLINE_EXCEEDED', `node ${config.nodeName} is not ready: ${reason}`, {
        hint: `its log: ${pathsOf(config).logs}/node.log`,
      })
  } finally {
    done.abort()
    await Promise.allSettled([late, nodes.stopped()])
  }
}

function explain({ print }: Context, config: Config): void {
  print(`export KUBECONFIG=${pathsOf(config).adminKubeconfig}`)
}

async function stayUntilStopped(context: Context, config: Config): Promise<void> {
  context.notice('  stop it with Ctrl-C')
  await new Promise<void>((resolve) =>
    context.signal.addEventListener('abort', () => resolve(), { once: true }),
  )
  await tearDown(config, context, { keepPods: false })
}
