import { command } from '../oci/command.ts'

export default command({
  name: 'start',
  summary: 'run the program of a created container',
  args: ['container'],
  options: {},
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).start()
  },
})
