import { command } from '../oci/context.ts'
import { interrupts } from '../oci/interrupts.ts'
import {
  checkConsole,
  detachedLife,
  makeContainer,
  orDelete,
  printPlan,
  readStart,
  startOptions,
  writePidFile,
} from '../oci/start-options.ts'

export default command({
  name: 'create',
  summary: 'make a container from a bundle, up to the moment before its program',
  args: ['container'],
  options: startOptions,
  async run(context, given) {
    const { common, spec, preserveFds } = readStart(given)
    if (spec.process) checkConsole(spec.process, true, given['console-socket'])
    const life = detachedLife(given, preserveFds)
    const request = { ...common, id: given.container, life }
    if (given['dry-run']) return printPlan(context, request)
    using interrupted = interrupts(context.clock)
    const { signal } = interrupted
    const container = await makeContainer(context, { ...request, signal })
    await orDelete(container, context, async () =>
      writePidFile(given['pid-file'], (await container.state()).pid),
    )
  },
})
