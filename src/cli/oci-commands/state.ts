import { stateDocument, stateText } from '../../oci/state/document.ts'
import { command } from '../oci/context.ts'

export default command({
  name: 'state',
  summary: 'print the state of a container as JSON',
  args: ['container'],
  async run({ runtime, out }, { container }) {
    const state = await (await (await runtime()).get(container)).state()
    out(stateText(stateDocument(state)))
  },
})
