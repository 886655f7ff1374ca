import { KeelsonError } from '../../base/index.ts'
import type { Container } from '../../oci/index.ts'
import { type StateDocument, stateDocument } from '../../oci/state/document.ts'
import { command } from '../oci/context.ts'
import { table } from '../oci/table.ts'

export default command({
  name: 'list',
  summary: 'list the containers below the state root',
  options: {
    format: { type: 'string', short: 'f', value: 'table|json', help: 'default: table' },
    quiet: { type: 'boolean', short: 'q', help: 'only the ids' },
  },
  async run({ runtime, out }, { format = 'table', quiet = false }) {
    if (format !== 'table' && format !== 'json')
      throw new KeelsonError('INVALID_ARGUMENT', `unknown format ${JSON.stringify(format)}`, {
        hint: 'use table or json',
      })
    const containers = await (await runtime()).list()
    if (quiet) return out(containers.map(({ id }) => `${id}\n`).join(''))
    const rows = (await Promise.all(containers.map(documentOf))).filter((row) => row !== undefined)
    if (format === 'json') return out(`${rows.length === 0 ? 'null' : JSON.stringify(rows)}\n`)
    const header = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']
    out(
      table([
        header,
        ...rows.map(({ id, pid, status, bundle, created, owner }) => [
          id,
          String(pid),
          status,
          bundle,
          created,
          owner,
        ]),
      ]),
    )
  },
})

/** One that is deleted while we look is left out. */
async function documentOf(container: Container): Promise<StateDocument | undefined> {
  return container.state().then(stateDocument, () => undefined)
}
