import { command } from '../oci/context.ts'

export default command({
  name: 'start',
  summary: 'run the program of a created container',
  args: ['container'],
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).start()
  },
})
