import { command } from '../oci/context.ts'

export default command({
  name: 'pause',
  summary: 'stop every process of a container where it is',
  args: ['container'],
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).pause()
  },
})
