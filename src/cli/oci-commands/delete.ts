import { command } from '../oci/context.ts'
import { matching, regexOption, toEach } from '../oci/select.ts'

export default command({
  name: 'delete',
  summary: 'remove a stopped container and all it holds',
  args: ['container'],
  options: {
    force: { type: 'boolean', short: 'f', help: 'kill it first if it runs; a missing one is fine' },
    ...regexOption,
  },
  async run({ runtime }, { container, force = false, regex = false }) {
    const containers = await runtime()
    if (regex) return toEach(await matching(containers, container), (one) => one.delete({ force }))
    await containers.remove(container, { force })
  },
})
