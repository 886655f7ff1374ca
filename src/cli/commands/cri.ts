import { configOptions } from '../config.ts'
import { command } from '../context.ts'
import { startCriEndpoint } from '../cri-endpoint.ts'
import { requireRoot } from '../preflight.ts'
import { progressOption } from '../progress.ts'
import { runProcess } from '../run-process.ts'

export default command({
  name: 'cri',
  summary: 'run only the CRI endpoint, for a kubelet or crictl of somebody else',
  options: { ...configOptions, ...progressOption },
  run: async (context, flags) => {
    requireRoot(context)
    await runProcess('cri', context, flags, startCriEndpoint)
  },
})
