import { command } from '../oci/context.ts'

export default command({
  name: 'resume',
  summary: 'let a paused container go on',
  args: ['container'],
  async run({ runtime }, { container }) {
    await (await (await runtime()).get(container)).resume()
  },
})
