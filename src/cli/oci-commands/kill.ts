import { signalNumber } from '../../oci/signals.ts'
import { command } from '../oci/context.ts'
import { matching, regexOption, toEach } from '../oci/select.ts'

export default command({
  name: 'kill',
  summary: 'send a signal (default SIGTERM) to the first process of a container',
  args: ['container', 'signal?'],
  options: {
    all: { type: 'boolean', short: 'a', help: 'to every process of the container' },
    ...regexOption,
  },
  async run({ runtime }, { container, signal = 'SIGTERM', all = false, regex = false }) {
    const number = signalNumber(signal)
    const containers = await runtime()
    const chosen = regex ? await matching(containers, container) : [await containers.get(container)]
    await toEach(chosen, (one) => one.kill(number, { all }))
  },
})
