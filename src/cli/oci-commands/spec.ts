import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasErrno, KeelsonError } from '../../base/index.ts'
import { defaultSpec } from '../../oci/default-spec.ts'
import { command } from '../oci/context.ts'

export default command({
  name: 'spec',
  summary: 'write a config.json to start from',
  options: {
    bundle: { type: 'string', short: 'b', value: 'DIR', help: 'where to; default: the current directory' },
    rootless: { type: 'boolean', help: 'for an ordinary user' },
  },
  async run(_context, { bundle = '.', rootless = false }) {
    const ids = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
    const spec = defaultSpec(rootless ? { rootless: ids } : {})
    const path = join(bundle, 'config.json')
    try {
      writeFileSync(path, `${JSON.stringify(spec, undefined, '\t')}\n`, { flag: 'wx' })
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error
      throw new KeelsonError('ALREADY_EXISTS', `${path} exists`, { path, hint: 'remove it first' })
    }
  },
})
