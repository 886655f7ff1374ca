import { command } from '../oci/command.ts'

export default command({
  name: 'pause',
  summary: 'stop every process of a container where it is',
  args: ['container'],
  options: {},
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).pause()
  },
})
