import { signalNumber } from '../../oci/signals.ts'
import { command } from '../oci/context.ts'

export default command({
  name: 'kill',
  summary: 'send a signal to the first process of a container',
  args: ['container', 'signal?'],
  options: { all: { type: 'boolean', short: 'a', help: 'to every process of the container' } },
  async run({ runtime }, { container, signal = 'SIGTERM', all = false }) {
    const number = signalNumber(signal)
    await (await (await runtime()).get(container)).kill(number, { all })
  },
})
