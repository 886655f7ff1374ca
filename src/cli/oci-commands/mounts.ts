import { KeelsonError } from '../../base/index.ts'
import { validateMounts } from '../../oci/validate.ts'
import { command } from '../oci/context.ts'
import { readJson } from '../oci/read-json.ts'

export default command({
  name: 'mounts',
  summary: 'add mounts to a running container, or remove those that were added: `mounts add|remove ID FILE`',
  args: ['action', 'container', 'file'],
  async run({ runtime, runtimeOptions }, { action, container, file }) {
    if (action !== 'add' && action !== 'remove')
      throw new KeelsonError('INVALID_ARGUMENT', `mounts cannot ${JSON.stringify(action)}`, {
        hint: 'use add or remove',
      })
    const found = await (await runtime()).get(container)
    const { linux = {} } = await found.spec()
    const namespaces = new Set((linux.namespaces ?? []).map(({ type }) => type))
    const mounts = validateMounts(readJson(file), namespaces)
    const { addMounts, removeMounts } = await import('../../oci/change-mounts.ts')
    if (action === 'add') await addMounts(runtimeOptions, container, mounts)
    else
      await removeMounts(
        runtimeOptions,
        container,
        mounts.map(({ destination }) => destination),
      )
  },
})
