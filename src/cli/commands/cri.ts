import { KeelsonError } from '../../base/index.ts'
import type { Given } from '../command.ts'
import { type Context, command } from '../context.ts'
import { criOptions, defaultCriConfig, resolveCriConfig } from '../cri-config.ts'
import { unitFile } from '../cri-unit.ts'
import { optimizeLater } from '../patient-optimizer.ts'
import { requireRoot } from '../preflight.ts'
import { progressOption } from '../progress.ts'
import { tableOf } from '../registries.ts'
import { runConfigured } from '../run-process.ts'
import { readTls } from '../streaming-tls.ts'

/** Without an action the endpoint runs; the others only print. */
const actions: Record<string, (context: Context, given: Given) => void | Promise<void>> = {
  '': serve,
  'config default': ({ print }) => print(defaultCriConfig().trimEnd()),
  'config check': checkConfig,
  unit: ({ print, launcher }, { config }) => print(unitFile(launcher, config).trimEnd()),
}

export default command({
  name: 'cri',
  summary:
    'run only the CRI endpoint, for a kubelet or crictl of somebody else; `config default`, `config check` and `unit` print',
  args: ['action...'],
  options: { ...criOptions, ...progressOption },
  run: async (context, given) => {
    const action = actions[given.action.join(' ')]
    if (action) return action(context, given)
    throw new KeelsonError('INVALID_ARGUMENT', `keelson cri has no ${given.action.join(' ')}`, {
      hint: 'keelson cri [config default | config check | unit]',
    })
  },
})

async function serve(context: Context, given: Given): Promise<void> {
  requireRoot(context)
  optimizeLater()
  const { startCriEndpoint } = await import('../cri-endpoint.ts') // the others need nothing of it
  const configure = async () => {
    const config = await resolveCriConfig(given)
    return { config, log: context.logger(config.log.level, config.log.format) }
  }
  const { faultFile } = context
  await runConfigured('cri', context, given, {
    configure,
    start: (options) => startCriEndpoint({ ...options, faultFile }),
  })
}

/** With every file that it names. */
async function checkConfig({ print }: Context, given: Given): Promise<void> {
  const { images, streaming } = await resolveCriConfig(given)
  await tableOf(images.registries)
  await readTls(streaming.tls)
  print(`${given['config'] ?? 'the default configuration'} is right`)
}
