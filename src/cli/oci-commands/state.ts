import { command } from '../oci/context.ts'
import { stateDocument } from '../oci/state-document.ts'

export default command({
  name: 'state',
  summary: 'print the state of a container as JSON',
  args: ['container'],
  async run({ runtime, out }, { container }) {
    const state = await (await (await runtime()).get(container)).state()
    out(JSON.stringify({ ...stateDocument(state), owner: '' }, undefined, 2)) // as runc: no owner, no line end
  },
})
