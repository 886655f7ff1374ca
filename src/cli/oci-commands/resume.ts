import { command } from '../oci/command.ts'

export default command({
  name: 'resume',
  summary: 'let a paused container go on',
  args: ['container'],
  options: {},
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).resume()
  },
})
