import { configOptions, resolveConfig } from '../config.ts'
import { command } from '../context.ts'
import { requireRoot } from '../preflight.ts'

export default command({
  name: 'down',
  summary:
    'stop the cluster, its pods included, and undo what it changed on this machine; its state stays on disk',
  options: {
    ...configOptions,
    'keep-pods': { type: 'boolean', help: 'leave the pods running; `up` adopts them' },
  },
  run: async (context, flags) => {
    requireRoot(context)
    const { tearDown } = await import('../tear-down.ts') // what it stands on is much, and not for everybody
    await tearDown(await resolveConfig(flags), context, { keepPods: flags['keep-pods'] ?? false })
  },
})
