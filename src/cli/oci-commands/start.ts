import { join } from 'node:path'
import { startFailure } from '../../oci/start-container.ts'
import { command } from '../oci/context.ts'
import { takeAnswer } from '../oci/handed-over.ts'
import { notifySocket } from '../oci/start-options.ts'

export default command({
  name: 'start',
  summary: 'run the program of a created container',
  args: ['container'],
  async run({ runtime, globals }, { container }) {
    const answer = takeAnswer(process.env)
    if (answer) throw startFailure(answer, join(globals.root, container), container)
    const socket = notifySocket()
    const options = socket === undefined ? {} : { notify: { socket } }
    await (await (await runtime()).get(container)).start(options)
  },
})
