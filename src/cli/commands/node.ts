import { configOptions } from '../config.ts'
import { command } from '../context.ts'
import { startNode } from '../node.ts'
import { requireRoot } from '../preflight.ts'
import { progressOption } from '../progress.ts'
import { runProcess } from '../run-process.ts'

export default command({
  name: 'node',
  summary: 'run a node in the foreground: CRI endpoint, kubelet, service proxy',
  options: { ...configOptions, ...progressOption },
  run: async (context, flags) => {
    requireRoot(context)
    await runProcess('node', context, flags, startNode)
  },
})
