import { command } from '../oci/context.ts'

export default command({
  name: 'delete',
  summary: 'remove a stopped container and all it holds',
  args: ['container'],
  options: {
    force: { type: 'boolean', short: 'f', help: 'kill it first if it runs; a missing one is fine' },
  },
  async run({ runtime }, { container, force = false }) {
    const containers = await runtime()
    const found = force ? await containers.find(container) : await containers.get(container)
    await found?.delete({ force })
  },
})
