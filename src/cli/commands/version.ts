import { readFile } from 'node:fs/promises'
import { command } from '../context.ts'
import { commit, version } from '../version.ts'

export default command({
  name: 'version',
  summary: 'print the version of keelson, Node and the kernel',
  run: async ({ print }) => {
    const kernel = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim()
    print(`keelson ${version} (commit ${commit})`)
    print(`node ${process.version}, linux ${kernel} ${process.arch}`)
  },
})
