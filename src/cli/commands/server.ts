import { configOptions } from '../config.ts'
import { command } from '../context.ts'
import { startControlPlane } from '../control-plane.ts'
import { progressOption } from '../progress.ts'
import { runProcess } from '../run-process.ts'

export default command({
  name: 'server',
  summary: 'run a control plane in the foreground: store, API server, scheduler, controllers',
  options: { ...configOptions, ...progressOption },
  run: (context, flags) => runProcess('server', context, flags, startControlPlane),
})
