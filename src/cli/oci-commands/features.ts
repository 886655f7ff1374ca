import { seccompFlags } from '../../kernel/index.ts'
import { type CgroupLayout, readCgroupLayout } from '../../oci/cgroup/layout.ts'
import { features } from '../../oci/features.ts'
import { command } from '../oci/context.ts'
import { commit, version } from '../version.ts'

export default command({
  name: 'features',
  summary: 'print what this runtime can do here, as JSON',
  async run({ out }) {
    const document = features({ version, commit, layout: layoutOrNone(), seccompFlags: seccompFlags() })
    out(`${JSON.stringify(document, undefined, 4)}\n`)
  },
})

function layoutOrNone(): CgroupLayout | undefined {
  try {
    return readCgroupLayout()
  } catch {
    return undefined
  }
}
